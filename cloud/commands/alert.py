"""`elfowl-cloud alert`: be told of events."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol
from urllib.parse import quote

import typer
from pydantic import ValidationError

from cloud.commands.options import AsJson, Home, Token, Url, duration_s
from cloud.commands.terminal import answer
from cloud.errors import InputError
from edge_agent.errors import LinkError

app = typer.Typer(no_args_is_help=True, help="Alerts: be told of events, where and when you like.")

Name = Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of the alert; see `alert list`.")]


class _Desk(Protocol):
    def add(self, rule: dict[str, Any]) -> dict[str, Any]: ...

    def every(self) -> list[dict[str, Any]]: ...

    def remove(self, name: str) -> None: ...

    def test(self, name: str) -> list[dict[str, Any]]: ...

    def log(self, name: str | None, limit: int) -> list[dict[str, Any]]: ...


@app.command()
def add(  # noqa: PLR0913 - options of a command
    name: Annotated[str, typer.Argument(help="How to call it.")],
    to: Annotated[
        list[str], typer.Option(help="Address as Apprise writes it, as ntfys://TOPIC; may be repeated.")
    ],
    *,
    label: Annotated[list[str] | None, typer.Option(help="Only this label; may be repeated.")] = None,
    camera: Annotated[list[str] | None, typer.Option(help="Only CAMERA or DEVICE/CAMERA.")] = None,
    zone: Annotated[list[str] | None, typer.Option(help="Only what is or was in this zone.")] = None,
    attribute: Annotated[list[str] | None, typer.Option(help="Only SLUG=VALUE; all must hold.")] = None,
    search: Annotated[str | None, typer.Option(help="Only moments of this saved search.")] = None,
    recordings: Annotated[bool, typer.Option(help="Also what scans see, told together.")] = False,
    least_score: Annotated[float, typer.Option(help="Only what was seen at least this surely.")] = 0.0,
    hours: Annotated[list[str] | None, typer.Option(help="Watch only then: 'mon-fri 08:00-18:00'.")] = None,
    quiet: Annotated[list[str] | None, typer.Option(help="Tell together after it: 22:00-06:00.")] = None,
    timezone: Annotated[str, typer.Option(help="Of --hours and --quiet, as in Europe/Berlin.")] = "UTC",
    cooldown: Annotated[str, typer.Option(help="Of one camera and label; 0 for none.")] = "60s",
    digest: Annotated[str | None, typer.Option(help="Collect so long, then tell all together.")] = None,
    picture: Annotated[str, typer.Option(help="blurred, clear or none.")] = "blurred",
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Add an alert; it tells of events that come from now on."""
    rule = {
        "name": name, "channels": to, "labels": label or [], "cameras": camera or [], "zones": zone or [],
        "attributes": _pairs(attribute or []), "search": search, "recordings": recordings,
        "least_score": least_score, "hours": hours or [],
        "quiet": quiet or [], "timezone": timezone, "picture": picture,
        "cooldown_s": 0.0 if cooldown == "0" else duration_s(cooldown), "digest_s": duration_s(digest) or 0.0,
    }  # fmt: skip
    made = _desk(home, url, token).add(rule)
    answer(made, [_line(made), f"next: elfowl-cloud alert test {made['id']}"], as_json=as_json)


@app.command("list")
def list_all(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List all alerts by name."""
    found = _desk(home, url, token).every()
    answer(found, [_line(one) for one in found] or ["no alerts yet; see `alert add --help`"], as_json=as_json)


@app.command()
def remove(name: Name, *, home: Home = None, url: Url = None, token: Token = None) -> None:
    """Remove an alert with the messages of it that wait."""
    _desk(home, url, token).remove(name)


@app.command("test")
def send_test(
    name: Name, *, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Send a test message to each address of an alert."""
    came = _desk(home, url, token).test(name)
    lines = [f"{one['address']:12} {'arrived' if one['arrived'] else one['error']}" for one in came]
    answer(came, lines, as_json=as_json)
    if not all(one["arrived"] for one in came):
        message = f"alert {name}: a test message did not arrive"
        raise LinkError(message)


@app.command()
def log(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|ID]", help="Only of this alert.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 50,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what was sent, tried or waits, newest first."""
    found = _desk(home, url, token).log(name, limit)
    answer(found, [_log_line(one) for one in found] or ["nothing was sent yet"], as_json=as_json)


class _LocalDesk:
    def __init__(self, home: Path | None) -> None:
        from cloud.commands.connect import local
        from cloud.notify.desk import AlertDesk

        kept = local(home).home
        self._desk = AlertDesk(kept.database, kept.clock, kept.settings.alert_schemes)

    def add(self, rule: dict[str, Any]) -> dict[str, Any]:
        from cloud.notify.rule import AlertRule

        try:
            parsed = AlertRule.model_validate(rule)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = f"{where}: {first['msg'].removeprefix('Value error, ')}"
            raise InputError(message) from None
        return self._desk.add(parsed).model_dump(mode="json")

    def every(self) -> list[dict[str, Any]]:
        return [one.model_dump(mode="json") for one in self._desk.every()]

    def remove(self, name: str) -> None:
        self._desk.remove(name)

    def test(self, name: str) -> list[dict[str, Any]]:
        return [one.model_dump(mode="json") for one in self._desk.test(name)]

    def log(self, name: str | None, limit: int) -> list[dict[str, Any]]:
        return [one.model_dump(mode="json") for one in self._desk.log(name, limit)]


class _RemoteDesk:
    def __init__(self, url: str, token: str | None) -> None:
        from cloud.client import CloudClient

        self._client = CloudClient(url, token=token)

    def add(self, rule: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self._client.post("/alerts", rule)
        return made

    def every(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get("/alerts")
        return found

    def remove(self, name: str) -> None:
        self._client.delete(f"/alerts/{quote(name, safe='')}")

    def test(self, name: str) -> list[dict[str, Any]]:
        came: list[dict[str, Any]] = self._client.post(f"/alerts/{quote(name, safe='')}/test")
        return came

    def log(self, name: str | None, limit: int) -> list[dict[str, Any]]:
        query: dict[str, str | float] = {"limit": limit}
        if name is not None:
            query["alert"] = name
        found: list[dict[str, Any]] = self._client.get("/alerts/log", **query)
        return found


def _desk(home: Path | None, url: str | None, token: str | None) -> _Desk:
    return _LocalDesk(home) if url is None else _RemoteDesk(url, token)


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        slug, mark, value = text.partition("=")
        if not (slug and mark and value):
            message = f"--attribute {text!r}: write it as slug=value, as in jacket=red"
            raise InputError(message)
        pairs[slug] = value
    return pairs


def _line(one: dict[str, Any]) -> str:
    rule = one["rule"]
    if rule is None:
        return f"{one['id']}  {one['name'][:30]:30} cannot be read"
    what = ", ".join([*rule["labels"], *rule["cameras"], *rule["zones"]]) or "everything"
    return f"{one['id']}  {one['name'][:30]:30} {what} -> {', '.join(rule['channels'])}"


def _log_line(one: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(one["sent"] or one["created"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    error = f"  {one['error']}" if one["error"] else ""
    tries = f"{one['attempts']} tries" if one["attempts"] != 1 else "1 try"
    return f"{at}  {one['alert'][:24]:24} {one['address']:12} {one['state']:8} {tries}{error}"
