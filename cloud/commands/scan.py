"""`elfowl-cloud scan`: look through recordings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.commands.options import AsJson, Home, Token, Url, read_settings
from cloud.commands.terminal import Terminal, answer, interruptible, progress_shown
from cloud.errors import InputError
from cloud.jobs.progress import ProgressLine


def scan(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Videos and folders of them; with --url: in its folder of recordings."
        ),
    ],
    detector: Annotated[
        list[str],
        typer.Option(
            metavar="NAME[@V]", help="Who looks; several look together. Or: starter, BUNDLE, FILE.zip."
        ),
    ],
    began: Annotated[
        str | None, typer.Option(metavar="TIME", help="UTC time of the first picture: 2026-11-28T10:30.")
    ] = None,
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Look through recordings; `elfowl-cloud search` finds what was seen, also while it goes on."""
    began_s = None if began is None else _utc_s(began)
    with interruptible() as stop, progress_shown() as terminal:
        if url is None:
            done = _here(home, files, detector, began_s, terminal, stop.is_set)
        else:
            from cloud.client import CloudClient
            from cloud.commands.remote import RemoteCloud
            from edge_agent.clock import SystemClock

            cloud = RemoteCloud(CloudClient(url, token=token), SystemClock())
            order = {"files": [str(one) for one in files], "detectors": detector, "began": began_s}
            done = cloud.scan(order, terminal.show, stop.is_set)
    looked = f"{done['looks']} pictures looked at" if done["looks"] else "nothing new to look at"
    answer(done, [f"{done['recordings']} recordings: {looked}; see elfowl-cloud search"], as_json=as_json)


def _here(
    home: Path | None,
    files: list[Path],
    detector: list[str],
    began_s: float | None,
    terminal: Terminal,
    stopped: Any,  # noqa: ANN401 - tells whether somebody stops it
) -> dict[str, Any]:
    from cloud.actions.open_home import open_home
    from cloud.actions.scans import note_file, videos_in
    from cloud.worker.progress import Progress
    from cloud.worker.scan import scan as look

    opened = open_home(read_settings(home))
    rows = [note_file(opened, path, began_s).id for path in videos_in(files)]

    def show(now: Progress) -> None:
        share = min(1.0, max(0.0, now.fraction))
        terminal.show(ProgressLine(progress=share, stage=now.stage, message=now.message))

    job = {"recordings": list(dict.fromkeys(rows)), "detectors": detector}
    return look(opened, job, progress=show, cancelled=stopped)


def _utc_s(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"--began {text}: write a time such as 2026-11-28T10:30"
        raise InputError(message) from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
