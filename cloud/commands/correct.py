"""`elfowl-cloud correct`, `corrections`, `withdraw`: say what a detector got right and wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol, cast

import typer
from pydantic import ValidationError

from cloud.commands.options import AsJson, Home, Token, Url, read_settings
from cloud.commands.terminal import answer
from cloud.errors import InputError
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.correction import Correction

Json = dict[str, Any]

_COORDINATES = 4


class Desk(Protocol):
    """Where corrections go: a home folder, or a running cloud. Answers are the API's JSON."""

    def record(self, said: Json) -> Json:
        """Store a correction."""
        ...

    def corrections(self, detector: str | None, *, withdrawn: bool) -> list[Json]:
        """Return corrections, newest first."""
        ...

    def withdraw(self, correction: str) -> Json:
        """Take a correction back."""
        ...


class LocalDesk:
    """Corrections of a home folder; a running server tells cameras of wanted pictures at their next poll."""

    def __init__(self, home: Path | None) -> None:
        from cloud.actions.open_home import open_home

        self._home = open_home(read_settings(home))

    def record(self, said: Json) -> Json:
        """Store a correction."""
        from cloud.actions.corrections import record
        from cloud.api.views import correction_view
        from cloud.store import detectors
        from cloud.store.ids import new_id

        now_s = self._home.clock.now_s()
        reference = said.pop("detector_id", None)
        correction = _parsed({"id": new_id("cor"), "created": now_s, **said})
        with self._home.database.write(durable=True) as session:
            taught = None if reference is None else detectors.find(session, reference).id
            done = record(session, correction, detector_id=taught, now_s=now_s)
            return correction_view(session, done.row).model_dump(mode="json")

    def corrections(self, detector: str | None, *, withdrawn: bool) -> list[Json]:
        """Return corrections, newest first."""
        from cloud.api.views import correction_view
        from cloud.store import corrections, detectors

        with self._home.database.read() as session:
            taught = None if detector is None else detectors.find(session, detector).id
            rows = corrections.every(session, taught, withdrawn=withdrawn)
            return [correction_view(session, row).model_dump(mode="json") for row in rows]

    def withdraw(self, correction: str) -> Json:
        """Take a correction back."""
        from cloud.actions.corrections import withdraw
        from cloud.api.views import correction_view

        with self._home.database.write(durable=True) as session:
            done = withdraw(session, correction, now_s=self._home.clock.now_s())
            return correction_view(session, done.row).model_dump(mode="json")


class RemoteDesk:
    """Corrections of a running cloud."""

    def __init__(self, url: str, token: str | None) -> None:
        from cloud.client import CloudClient

        self._client = CloudClient(url, token=token)

    def record(self, said: Json) -> Json:
        """Store a correction."""
        if (reference := said.get("detector_id")) is not None:
            said = {**said, "detector_id": self._client.get(f"/detectors/{reference}")["id"]}
        return cast("Json", self._client.post("/corrections", said))

    def corrections(self, detector: str | None, *, withdrawn: bool) -> list[Json]:
        """Return corrections, newest first."""
        query: dict[str, str | float] = {"withdrawn": str(withdrawn).lower()}
        if detector is not None:
            query["detector"] = self._client.get(f"/detectors/{detector}")["id"]
        return cast("list[Json]", self._client.get("/corrections", **query))

    def withdraw(self, correction: str) -> Json:
        """Take a correction back."""
        self._client.delete(f"/corrections/{correction}")
        return cast("Json", self._client.get(f"/corrections/{correction}"))


def correct(  # noqa: PLR0913, PLR0917 - options of a command
    verdict: Annotated[str, typer.Argument(metavar="right|wrong|missed|other_class", help="What you say.")],
    event: Annotated[str | None, typer.Option(help="Id of the event that it is about.")] = None,
    device: Annotated[str | None, typer.Option(help="Of something missed: which device.")] = None,
    camera: Annotated[str | None, typer.Option(help="Of something missed: which of its cameras.")] = None,
    time: Annotated[
        float | None, typer.Option(help="Of something missed: when, seconds since 1970 UTC.")
    ] = None,
    media: Annotated[str | None, typer.Option(help="Id of the picture or video that it is about.")] = None,
    frame: Annotated[int | None, typer.Option(help="Its frame, numbered from 0.")] = None,
    label: Annotated[str | None, typer.Option(help="What it is.")] = None,
    box: Annotated[
        str | None, typer.Option(metavar="X1,Y1,X2,Y2", help="Where, as fractions of the picture.")
    ] = None,
    detector: Annotated[str | None, typer.Option(help="Name or id of the detector to teach.")] = None,
    author: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say that an event or a frame is right, wrong, of another class, or that something was missed."""
    frame = 0 if media is not None and frame is None else frame
    said = {
        "verdict": verdict,
        "event_id": event,
        "device": device,
        "camera": camera,
        "time": time,
        "media_id": media,
        "frame_index": frame,
        "label": label,
        "box": None if box is None else parse_box(box),
        "detector_id": detector,
        "author": author,
        "source": "cli",
    }
    done = _desk(home, url, token).record({key: value for key, value in said.items() if value is not None})
    answer(done, [_line(done)], as_json=as_json)


def list_corrections(
    detector: Annotated[
        str | None, typer.Argument(metavar="[NAME|ID]", help="Of this detector only.")
    ] = None,
    *,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="With those that were taken back.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List corrections: who said what about which answer, and what becomes of it."""
    found = _desk(home, url, token).corrections(detector, withdrawn=withdrawn)
    answer(found, [_line(one) for one in found] or ["nobody corrected anything yet"], as_json=as_json)


def withdraw(
    correction: Annotated[str, typer.Argument(metavar="CORRECTION", help="Its id; see `corrections`.")],
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Take a correction back; it stays on record and teaches nothing any more."""
    done = _desk(home, url, token).withdraw(correction)
    answer(done, [_line(done)], as_json=as_json)


def parse_box(text: str) -> XyxyNorm:
    """Return the box that `0.1,0.2,0.3,0.4` means.

    Raises:
        InputError: It is none.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != _COORDINATES or not all(0 <= number <= 1 for number in numbers):
        message = (
            f"--box {text}: write left,top,right,bottom as fractions of the picture, as in 0.1,0.2,0.3,0.4"
        )
        raise InputError(message)
    x1, y1, x2, y2 = numbers
    return (x1, y1, x2, y2)


def _desk(home: Path | None, url: str | None, token: str | None) -> Desk:
    return LocalDesk(home) if url is None else RemoteDesk(url, token)


def _parsed(document: Json) -> Correction:
    try:
        return Correction.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {first['msg']}" if where else str(first["msg"]).removeprefix("Value error, ")
        raise InputError(message) from error


def _line(one: Json) -> str:
    said = one["correction"]
    detector = said.get("detector")
    about = said.get("event_id") or f"{said.get('media_id')}#{said.get('frame_index')}"
    if said["verdict"] == "missed" and said.get("camera"):
        about = f"{said.get('device')}/{said['camera']} at {said['time']:.1f}"
    parts = [
        said["id"],
        f"{said['verdict']:11}",
        f"{said.get('label') or '-':12}",
        about,
        f"by {said.get('author') or 'somebody'} ({said['source']})",
        "" if detector is None else f"about v{detector['version']}",
        f"- {one['meaning']}",
    ]
    return "  ".join(part for part in parts if part)
