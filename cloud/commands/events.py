"""`elfowl-cloud events`: delete events for good."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from cloud.commands.options import AsJson, Home, Token, Url, read_settings
from cloud.commands.terminal import answer
from cloud.errors import InputError

app = typer.Typer(no_args_is_help=True, help="Events: delete them for good.")

_AGO_S = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


@app.callback()
def _root() -> None:
    """Events: delete them for good."""


@app.command()
def delete(  # noqa: PLR0913 - options of a command
    *,
    before: Annotated[
        str | None, typer.Option(help="Last seen before 2026-11-01, 2026-11-01T10:30 (UTC), or 30d ago.")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Only of cameras of this name.")] = None,
    device: Annotated[str | None, typer.Option(help="Only of this device.")] = None,
    keep_corrections: Annotated[
        bool, typer.Option("--keep-corrections", help="Keep what people said of them, with its key frames.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, only say how many there are.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Delete events with their pictures, and what people said of them."""
    asked: dict[str, Any] = {"camera": camera, "device": device, "keep_corrections": keep_corrections}
    done = _delete(home, url, token, {**asked, "before": before, "dry_run": not yes})
    if yes:
        line = (
            f"deleted {done['events']} events, {done['documents']} documents, {done['pictures']} pictures, "
            f"{done['corrections']} corrections"
        )
    else:
        line = f"{done['events']} events would be deleted for good; say --yes to do it"
    answer(done, [line], as_json=as_json)


def _delete(home: Path | None, url: str | None, token: str | None, asked: dict[str, Any]) -> dict[str, Any]:
    if url is None:
        return _at_home(home, **asked)
    from cloud.client import CloudClient
    from edge_agent.clock import SystemClock

    before = asked.pop("before")
    if before is not None:
        asked["before"] = moment_of(before, SystemClock().now_s())
    words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in asked.items()}
    query = urlencode({name: value for name, value in words.items() if value is not None})
    done: dict[str, Any] = CloudClient(url, token=token).delete(f"/events?{query}")
    return done


def _at_home(
    home: Path | None,
    *,
    before: str | None,
    camera: str | None,
    device: str | None,
    keep_corrections: bool,
    dry_run: bool,
) -> dict[str, Any]:
    from cloud.actions.ageing import delete_aged
    from cloud.actions.forgetting import Doomed, count_doomed, delete_events
    from cloud.actions.open_home import open_home

    opened = open_home(read_settings(home))
    before_s = None if before is None else moment_of(before, opened.clock.now_s())
    doomed = Doomed(before_s, camera, device)
    if dry_run:
        with opened.database.read() as session:
            there = count_doomed(session, doomed)
        return {"events": there + delete_aged(opened, doomed, dry_run=True)}
    aged = delete_aged(opened, doomed, keep_corrections=keep_corrections)
    done = delete_events(
        opened.database, opened.settings, opened.clock, doomed, keep_corrections=keep_corrections
    )
    return {**vars(done), "events": done.events + aged}


def moment_of(text: str, now_s: float) -> float:
    """Return the moment (UTC seconds since 1970) of a date, of a date with a time, or of so long ago.

    Raises:
        InputError: It is none.
    """
    number, unit = text[:-1], text[-1:]
    if unit in _AGO_S and number.isdecimal():
        return now_s - int(number) * _AGO_S[unit]
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"--before {text!r}: write a date such as 2026-11-01, with a time 2026-11-01T10:30, or 30d"
        raise InputError(message) from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
