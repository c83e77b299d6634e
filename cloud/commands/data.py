"""`elfowl-cloud detector import|export|prelabel|proposals`: data in and out, and boxes on offer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.actions.media import Role
from cloud.commands.backend import Incoming, Verdict
from cloud.commands.connect import connect
from cloud.commands.options import AsJson, Home, Token, Url
from cloud.commands.terminal import answer, interruptible, progress_shown
from cloud.datasets.export import Format
from cloud.errors import InputError

_SHOWN = 20
_NAMED = 4

Reference = Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of the detector.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `elfowl-cloud detector`."""
    app.command("import")(import_files)
    app.command("export")(export)
    app.command("prelabel")(prelabel)
    app.command("proposals")(proposals)


def import_files(  # noqa: PLR0913 - options of a command
    detector: Reference,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Pictures, videos, folders, zip archives, labels.")
    ],
    labels: Annotated[
        list[Path] | None,
        typer.Option("--labels", help="Labels of them: COCO, YOLO, Pascal VOC or CVAT; told by content."),
    ] = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="To test on: never learned from.")] = False,
    folders_are_classes: Annotated[
        bool, typer.Option("--folders-are-classes", help="Tag pictures with the name of their folder.")
    ] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Take in whatever files there are, with their labels; what is no good is told, file by file."""
    order = Incoming((*files, *(labels or ())), "test" if test else "teach", folders_are_classes)
    _refuse_missing(order.paths)
    backend = connect(home, url, token)
    with interruptible() as stop, progress_shown() as terminal:
        done = backend.import_files(detector, order, terminal.show, stop.is_set)
    _tell_on_stderr(done)
    line = f"took in {done['media']} files, {done['frames']} labelled frames, {done['boxes']} boxes"
    answer(done, [line + (f", {done['tags']} tags" if done["tags"] else "")], as_json=as_json)


def export(  # noqa: PLR0913 - options of a command
    detector: Reference,
    out: Annotated[Path, typer.Option("--out", help="The file: .json for COCO labels alone, else .zip.")],
    kind: Annotated[Format, typer.Option("--format", help="coco or yolo.")] = "coco",
    *,
    images: Annotated[bool, typer.Option("--images", help="With the pictures.")] = False,
    test: Annotated[bool, typer.Option("--test", help="The frames to test on.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write all labelled frames of a detector as COCO or YOLO."""
    role: Role = "test" if test else "teach"
    done = connect(home, url, token).export_labels(detector, out, kind, images=images, role=role)
    lines = [f"wrote {out}"]
    if done.get("frames") is not None:
        lines = [f"wrote {done['frames']} frames with {done['boxes']} boxes to {out}"]
    if done.get("left_out"):
        lines.append(f"left out {done['left_out']} frames that YOLO cannot tell: labelled in part or by tags")
    answer({"file": str(out), **done}, lines, as_json=as_json)


def prelabel(  # noqa: PLR0913 - options of a command
    detector: Reference,
    helper: Annotated[
        str, typer.Option("--with", help="starter, a bundle's id or file, or a detector: NAME|ID[@VERSION].")
    ] = "starter",
    media: Annotated[
        list[str] | None, typer.Option("--media", help="Only these media, by id; all by default.")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", help="Only these classes; the detector's own by default.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Offer from this score on; recommended by default.")
    ] = None,
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between frames of a video.")] = 1.0,
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let a detector offer boxes for the frames that nobody labelled; `proposals` accepts or rejects them."""
    order = {"with": helper, "media": media, "labels": labels, "min_score": min_score, "every_s": every}
    backend = connect(home, url, token)
    with interruptible() as stop, progress_shown() as terminal:
        done = backend.prelabel(detector, order, terminal.show, stop.is_set)
    line = f"{done['with']} offers {done['boxes']} boxes on {done['frames']} frames"
    following = f"next: elfowl-cloud detector proposals {detector} --accept --min-score 0.5"
    answer(done, [line, following], as_json=as_json)


def proposals(
    detector: Reference,
    *,
    accept: Annotated[bool, typer.Option("--accept", help="Make labels of them.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Turn them down for good.")] = False,
    min_score: Annotated[float, typer.Option(min=0.0, max=1.0, help="Only those from this score on.")] = 0.0,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Count, accept or reject the boxes that detectors offered; nothing is learned from them before."""
    if accept and reject:
        message = "give --accept or --reject, not both"
        raise InputError(message)
    verdict: Verdict | None = "accept" if accept else "reject" if reject else None
    done = connect(home, url, token).answer_proposals(detector, min_score, verdict)
    how = {"accept": "accepted", "reject": "rejected", None: "open:"}[verdict]
    answer(done, [f"{how} {done['boxes']} boxes on {done['frames']} frames"], as_json=as_json)


def _refuse_missing(paths: tuple[Path, ...]) -> None:
    if missing := [path for path in paths if not path.exists()]:
        message = f"{missing[0]}: no such file or folder"
        raise InputError(message)


def _tell_on_stderr(done: dict[str, Any]) -> None:
    """Tell people what did not go in, and what is there twice."""
    for one in done["refused"][:_SHOWN]:
        typer.echo(f"refused: {one['file']}: {one['reason']}", err=True)
    if len(done["refused"]) > _SHOWN:
        typer.echo(f"and {len(done['refused']) - _SHOWN} more; --json tells all", err=True)
    if done["identical"]:
        typer.echo(f"{len(done['identical'])} files are there already; they count once", err=True)
    for group in done["near_duplicates"][:_SHOWN]:
        more = f" and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
        typer.echo(f"nearly the same: {', '.join(group[:_NAMED])}{more}", err=True)
