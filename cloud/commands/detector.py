"""`elfowl-cloud detector`: make, train, evaluate, compress, list, delete."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.commands import data
from cloud.commands.backend import Examples
from cloud.commands.connect import connect
from cloud.commands.evaluate import compare, evaluate, quality_line
from cloud.commands.options import (
    AsJson,
    Home,
    Images,
    Labels,
    TestImages,
    TestLabels,
    TestVideo,
    Token,
    Url,
    Video,
    duration_s,
)
from cloud.commands.suggest import suggest
from cloud.commands.terminal import answer, interruptible, megabytes, percent, progress_shown
from cloud.errors import InputError


class EffortChoice(enum.StrEnum):
    """How long to look for a smaller network."""

    quick = "quick"
    normal = "normal"
    best = "best"


app = typer.Typer(no_args_is_help=True, help="Detectors: teach, train, measure, compress.")
app.command("evaluate")(evaluate)
app.command("compare")(compare)
app.command("suggest")(suggest)
data.register(app)

Reference = Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of the detector.")]
Versioned = Annotated[
    str, typer.Argument(metavar="NAME|ID[@VERSION]", help="Name or id, the version in use by default.")
]


@app.command()
def create(  # noqa: PLR0913 - options of a command
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the detector.")],
    images: Images = None,
    video: Video = None,
    labels: Labels = None,
    test_images: TestImages = None,
    test_video: TestVideo = None,
    test_labels: TestLabels = None,
    *,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make a detector; from pictures or a video and COCO labels, or empty, to import or draw later."""
    examples = Examples(images, video, labels)
    if examples.given:
        examples.check(labels_needed=False)
    tests = _tests(test_images, test_video, test_labels)
    made = connect(home, url, token).create(name, examples, tests)
    line = f"made detector {made['name']!r} ({made['id']}) with {_amount(made)}"
    if tests is not None:
        line += f", and {made['test_frames']} frames to test on"
    following = f"elfowl-cloud detector train {made['id']}"
    if not made["frames"]:
        following = "draw boxes in the portal (elfowl-cloud serve), or `detector import` pictures with labels"
    answer(made, [line, f"next: {following}"], as_json=as_json)


@app.command()
def add(  # noqa: PLR0913 - options of a command
    detector: Reference,
    images: Images = None,
    video: Video = None,
    labels: Labels = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="To test on: never learned from.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Add examples to a detector, to learn from or to test on."""
    examples = Examples(images, video, labels)
    examples.check(labels_needed=test)
    added = connect(home, url, token).add(detector, examples, "test" if test else "teach")
    answer(added, [f"added {_amount(added)}"], as_json=as_json)


@app.command()
def train(
    detector: Reference,
    budget: Annotated[str | None, typer.Option(help="Longest time to learn, for example 60s.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Same seed, same detector, within the budget.")
    ] = None,
    *,
    keep_trunk: Annotated[
        bool, typer.Option("--keep-trunk", help="Only go on with the head: quick, and a small update.")
    ] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Train the next version of a detector."""
    given = {"budget_s": duration_s(budget), "seed": seed, "keep_trunk": keep_trunk or None}
    wishes = {name: value for name, value in given.items() if value is not None}
    backend = connect(home, url, token)
    with interruptible() as stop, progress_shown() as terminal:
        made = backend.train(detector, wishes, terminal.show, stop.is_set)
    how = f"in {made['seconds']:.1f} s from {made['frames']} frames: {quality_line(made)}"
    lines = [f"trained version {made['version']} of {made['detector']} {how}"]
    if made.get("kept_out"):
        lines.append(f"{made['kept_out']} labelled frames near test frames were not learned from")
    if made.get("compared"):
        lines.append(made["compared"]["words"])
    answer(made, lines, as_json=as_json)


@app.command()
def compress(
    detector: Versioned,
    profile: Annotated[str, typer.Option(help="The device, for example pi-4.")],
    *,
    effort: Annotated[
        EffortChoice,
        typer.Option(
            help="quick: the network as it is; normal: 10 minutes for a smaller one; best: an hour."
        ),
    ] = EffortChoice.quick,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Compress a version for a kind of device, and keep the bundle."""
    backend = connect(home, url, token)
    with interruptible() as stop, progress_shown() as terminal:
        made = backend.compress(
            detector, {"profile": profile, "effort": effort.value}, terminal.show, stop.is_set
        )
    chosen = made["bundles"][made["chosen"]]
    line = f"bundle {made['bundle']} for {profile}: {made['chosen']}, {megabytes(chosen['bytes'])}"
    answer(made, [line, f"next: elfowl-cloud bundle publish {made['bundle']}"], as_json=as_json)


@app.command("list")
def list_all(*, home: Home = None, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List all detectors."""
    found = connect(home, url, token).detectors()
    lines = [_detector_line(one) for one in found] or ["no detectors yet; make one with `detector create`"]
    answer(found, lines, as_json=as_json)


@app.command()
def delete(
    detector: Reference,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Really delete it; nothing asks again.")] = False,
    home: Home = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Remove a detector with its examples, versions and bundles."""
    if not yes:
        message = f"this removes {detector!r} with its examples and versions; say --yes if you mean it"
        raise InputError(message)
    connect(home, url, token).delete(detector)
    answer({"deleted": detector}, [f"removed {detector}"], as_json=as_json)


def _tests(images: Path | None, video: Path | None, labels: Path | None) -> Examples | None:
    """Return what is only to test on, where it is given."""
    if images is None and video is None and labels is None:
        return None
    tests = Examples(images, video, labels)
    tests.check(labels_needed=True, prefix="--test-")
    return tests


def _amount(made: dict[str, Any]) -> str:
    return f"{made['media']} files, {made['frames']} labelled frames, {made['boxes']} boxes"


def _detector_line(one: dict[str, Any]) -> str:
    used = next((version for version in one["versions"] if version["version"] == one["in_use"]), None)
    state = "not trained" if used is None else f"v{used['version']}"
    quality = "" if used is None else f"AP50 {percent(used['metrics'].get('ap50'))}"
    return f"{one['id']}  {state:12} {quality:12} {one['name']}  ({', '.join(one['labels']) or 'no classes'})"
