"""`elfowl-cloud search`: when was it seen."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cloud.commands.options import AsJson, Home, Token, Url, read_settings
from cloud.commands.terminal import answer


def search(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help='Such as "person near dog within 5s since 30d".')
    ],
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many moments at most.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on from where the last page ended.")] = None,
    timezone: Annotated[str, typer.Option(help="Zone of dates and times, such as Europe/Berlin.")] = "UTC",
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Find moments: when was A seen, with B, near B or before B; newest first."""
    asked: dict[str, Any] = {"timezone": timezone, "limit": limit} | (
        {} if after is None else {"after": after}
    )
    if url is None:
        found = _at_home(home, query, asked)
    else:
        from cloud.client import CloudClient

        found = CloudClient(url, token=token).get("/search", q=query, **asked)
    answer(found, _lines(found, timezone), as_json=as_json)


def _at_home(home: Path | None, query: str, asked: dict[str, Any]) -> dict[str, Any]:
    from cloud.actions.open_home import open_home
    from cloud.api.search import search_view

    opened = open_home(read_settings(home))
    with opened.database.read() as session:
        return search_view(session, query, now_s=opened.clock.now_s(), **asked).model_dump(mode="json")


def _lines(found: dict[str, Any], timezone: str) -> list[str]:
    zone = ZoneInfo(timezone)
    lines = [_line(moment, zone) for moment in found["moments"]]
    if found["after"] is not None:
        lines.append(f"more: --after {found['after']}")
    elif not lines:
        lines = ["none found", *_hints(found, zone)]
    return lines


def _hints(found: dict[str, Any], zone: ZoneInfo) -> list[str]:
    lines = []
    if found["labels"] is not None:
        lines.append(f"labels that were seen: {', '.join(found['labels']) or 'none yet'}")
    for one in found["nearest"]:
        lines.append(f"but {one['given_up']}: {_line(one['newest'], zone)}")
        lines.append(f"  search for: {one['query']}")
    return lines


def _line(moment: dict[str, Any], zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(moment["at"], zone).strftime("%Y-%m-%d %H:%M:%S")
    seen = ", ".join(
        f"{event['label']} at {event['device']}/{event['camera']} ({event['event_id']})"
        for event in moment["events"]
    )
    return f"{at}  {moment['end'] - moment['start']:.0f} s  {seen}"
