"""`elfowl-cloud stream`: streams that the cloud watches for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote

import typer
from pydantic import BaseModel, ValidationError

from cloud.commands.options import AsJson, Home, Token, Url
from cloud.commands.terminal import answer
from cloud.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Streams that the cloud itself watches, for ever.")

Name = Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of the stream; see `stream list`.")]


class _Desk(Protocol):
    def add(self, body: dict[str, Any]) -> dict[str, Any]: ...

    def every(self) -> list[dict[str, Any]]: ...

    def show(self, name: str) -> dict[str, Any]: ...

    def gaps(self, name: str, limit: int) -> list[dict[str, Any]]: ...

    def pause(self, name: str, *, paused: bool) -> dict[str, Any]: ...

    def remove(self, name: str) -> None: ...


@app.command()
def add(  # noqa: PLR0913 - options of a command
    name: Annotated[str, typer.Argument(help="How to call it; its events name it as their camera.")],
    address: Annotated[
        str, typer.Argument(help="rtsp://…, http(s)://… (HLS, MJPEG, JPEG), or a file in HOME/recordings.")
    ],
    *,
    detector: Annotated[
        list[str], typer.Option(metavar="NAME[@V]", help="Who watches; may be repeated, they look together.")
    ],
    fps: Annotated[float | None, typer.Option(help="Pictures a second that are looked at; 5.")] = None,
    threshold: Annotated[float | None, typer.Option(help="In place of each detector's own.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Report only this; may be repeated.")] = None,
    udp: Annotated[bool, typer.Option("--udp", help="Let RTSP bring pictures over UDP.")] = False,
    rules: Annotated[
        Path | None,
        typer.Option(metavar="RULES.yaml", help="Zones, lines, limits, schedules: `rules` of a camera."),
    ] = None,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Watch a stream from now on, whenever the cloud runs."""
    chosen = {"fps": fps, "threshold": threshold, "labels": label, "rtsp_transport": "udp" if udp else None}
    settings: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    if rules is not None:
        settings["rules"] = _read_rules(rules)
    body = {"name": name, "address": address, "detectors": detector, "settings": settings}
    made = _desk(home, url, token).add(body)
    answer(made, [_line(made), f"next: elfowl-cloud stream show {made['name']}"], as_json=as_json)


@app.command("list")
def list_all(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List all streams by name."""
    found = _desk(home, url, token).every()
    lines = [_line(one) for one in found] or ["no streams yet; see `stream add --help`"]
    answer(found, lines, as_json=as_json)


@app.command()
def show(
    name: Name,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many gaps at most.")] = 20,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show how a stream is, and when it was not watched."""
    desk = _desk(home, url, token)
    one, gaps = desk.show(name), desk.gaps(name, limit)
    lines = [_line(one), f"  watched until {_time(one['watched'])}", *(f"  {_gap(gap)}" for gap in gaps)]
    answer({**one, "gaps": gaps}, lines, as_json=as_json)


@app.command()
def pause(
    name: Name, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Watch a stream no longer, until it is resumed."""
    changed = _desk(home, url, token).pause(name, paused=True)
    answer(changed, [_line(changed)], as_json=as_json)


@app.command()
def resume(
    name: Name, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Watch a paused stream again."""
    changed = _desk(home, url, token).pause(name, paused=False)
    answer(changed, [_line(changed)], as_json=as_json)


@app.command()
def remove(name: Name, *, home: Home = None, url: Url = None, token: Token = None) -> None:
    """Watch a stream no longer and forget it; its events stay."""
    _desk(home, url, token).remove(name)


class _LocalDesk:
    def __init__(self, home: Path | None) -> None:
        from cloud.commands.connect import local
        from cloud.streams.desk import StreamDesk

        kept = local(home).home
        self._desk = StreamDesk(kept.database, kept.clock, kept.settings)

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        from cloud.streams.desk import StreamBody

        try:
            parsed = StreamBody.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = f"{where}: {first['msg'].removeprefix('Value error, ')}"
            raise InputError(message) from None
        return _json(self._desk.add(parsed))

    def every(self) -> list[dict[str, Any]]:
        return [_json(one) for one in self._desk.every()]

    def show(self, name: str) -> dict[str, Any]:
        return _json(self._desk.show(name))

    def gaps(self, name: str, limit: int) -> list[dict[str, Any]]:
        return [_json(one) for one in self._desk.gaps(name, limit=limit)]

    def pause(self, name: str, *, paused: bool) -> dict[str, Any]:
        return _json(self._desk.pause(name, paused=paused))

    def remove(self, name: str) -> None:
        self._desk.remove(name)


class _RemoteDesk:
    def __init__(self, url: str, token: str | None) -> None:
        from cloud.client import CloudClient

        self._client = CloudClient(url, token=token)

    def add(self, body: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self._client.post("/streams", body)
        return made

    def every(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get("/streams")
        return found

    def show(self, name: str) -> dict[str, Any]:
        one: dict[str, Any] = self._client.get(_path(name))
        return one

    def gaps(self, name: str, limit: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get(f"{_path(name)}/gaps", limit=limit)
        return found

    def pause(self, name: str, *, paused: bool) -> dict[str, Any]:
        changed: dict[str, Any] = self._client.post(f"{_path(name)}/{'pause' if paused else 'resume'}")
        return changed

    def remove(self, name: str) -> None:
        self._client.delete(_path(name))


def _desk(home: Path | None, url: str | None, token: str | None) -> _Desk:
    return _LocalDesk(home) if url is None else _RemoteDesk(url, token)


def _path(name: str) -> str:
    return f"/streams/{quote(name, safe='')}"


def _json(view: BaseModel) -> dict[str, Any]:
    return view.model_dump(mode="json")


def _read_rules(path: Path) -> Any:  # noqa: ANN401 - whatever stands in the file; the model checks it
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"--rules {path}: cannot be read ({' '.join(str(error).split())}); give a YAML file"
        raise InputError(message) from error


def _line(one: dict[str, Any]) -> str:
    who = ", ".join(found["name"] for found in one["detectors"])
    return f"{one['name']:20} {one['state']:12} {one['address']}  {who}  ({one['reason']})"


def _gap(gap: dict[str, Any]) -> str:
    until = "now" if gap["ended"] is None else datetime.fromtimestamp(gap["ended"], UTC).strftime("%H:%M:%S")
    return f"not watched {_time(gap['began'])} - {until}: {gap['why']}"


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
