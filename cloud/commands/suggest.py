"""`elfowl-cloud detector suggest`: which frames to label next."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cloud.commands.connect import local
from cloud.commands.options import AsJson, Home, Token, Url
from cloud.commands.terminal import answer, interruptible, progress_shown
from cloud.jobs.progress import ProgressLine
from cloud.worker.progress import Progress
from edge_agent.clock import SystemClock


def suggest(
    detector: Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of the detector.")],
    media: Annotated[str | None, typer.Option(help="Only of this picture or video, by id.")] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many frames.")] = 10,
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Name the frames that would teach a detector most: in doubt, and unlike each other."""
    with interruptible() as stop, progress_shown() as terminal:
        if url is None:
            from cloud.worker.suggest import suggest as look

            found = look(
                local(home).home,
                detector,
                media_id=media,
                count=count,
                progress=lambda now: terminal.show(_as_line(now)),
                cancelled=stop.is_set,
            )
        else:
            from cloud.client import CloudClient
            from cloud.commands.remote import RemoteCloud

            cloud = RemoteCloud(CloudClient(url, token=token), SystemClock())
            found = cloud.suggest(detector, media, count, terminal.show, stop.is_set)
    answer(found, _lines(found), as_json=as_json)


def _as_line(now: Progress) -> ProgressLine:
    return ProgressLine(
        progress=min(1.0, now.fraction), stage=now.stage, message=now.message, seconds_left=now.seconds_left
    )


def _lines(found: dict[str, Any]) -> list[str]:
    basis = "no version yet" if found["version"] is None else f"version {found['version']}"
    head = f"of {found['looked_at']} frames looked at, with {basis}:"
    rows = [
        f"  {one['media']}  frame {one['frame']:>6}  {one['time_s']:8.1f} s  {one['reason']}"
        for one in found["frames"]
    ]
    return [head, *rows]
