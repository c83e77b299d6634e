"""`elfowl-cloud detector evaluate` and `compare`: how good a version is, and which of two is better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.actions.held_out import MeasuredFiles, open_test_files
from cloud.actions.open_home import Home as HomeFolder
from cloud.commands.backend import Examples
from cloud.commands.connect import local
from cloud.commands.options import AsJson, Home, Images, Labels, Video
from cloud.commands.terminal import answer, percent
from cloud.errors import InputError
from cloud.store import detectors

Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write everything as one HTML page.")
]


def evaluate(  # noqa: PLR0913 - options of a command
    detector: Annotated[
        str, typer.Argument(metavar="NAME|ID[@VERSION]", help="Name or id, the version in use by default.")
    ],
    images: Images = None,
    video: Video = None,
    labels: Labels = None,
    footage: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="With --full: a video without any such object, for false alarms."),
    ] = None,
    report: Report = None,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Also on pictures made worse; robustness takes a while.")
    ] = False,
    keep: Annotated[
        bool, typer.Option(help="Keep the frames to test on, for a detector that has none yet.")
    ] = True,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Measure a detector on labelled frames that it has not learned from; its test frames by default."""
    examples = _examples(images, video, labels)
    folder = local(home).home
    _find(folder, detector)
    files = _open(examples)
    from cloud.worker.evaluate import evaluate as measure
    from cloud.worker.evaluate import evaluate_on_test

    if files is None:
        measured = evaluate_on_test(folder, detector)
    else:
        measured = measure(folder, detector, files, keep=keep)
    for warning in measured["warnings"]:
        typer.echo(f"warning: {warning}", err=True)
    if measured["kept"]:
        typer.echo(
            f"kept these {measured['kept']} frames to test {detector} on (--no-keep: do not)", err=True
        )
    lines = [quality_line(measured), *_class_lines(measured)]
    if full or report is not None or footage:
        lines += _in_full(folder, detector, files, measured, _existing(footage), full=full, page=report)
    answer(measured, lines, as_json=as_json)


def compare(  # noqa: PLR0913 - options of a command
    detector: Annotated[str, typer.Argument(metavar="NAME|ID", help="Name or id of the detector.")],
    old: Annotated[str, typer.Argument(metavar="OLD", help="The version to compare with, as 1 or v1.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The version to judge.")],
    images: Images = None,
    video: Video = None,
    labels: Labels = None,
    report: Report = None,
    *,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions on the same frames: what is fixed, what is broken, and whether that is sure."""
    examples = _examples(images, video, labels)
    before, after = version_number(old), version_number(new)
    folder = local(home).home
    for version in (before, after):
        _find(folder, f"{detector}@{version}")
    files = _open(examples)
    from cloud.evaluation.page import render_comparison
    from cloud.worker.compare import compare as measure
    from cloud.worker.compare import write_page

    made = measure(folder, detector, before, after, files)
    for warning in made.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if report is not None:
        write_page(report, render_comparison(made))
    answer(_without_pictures(made.model_dump(mode="json")), _comparison_lines(made, report), as_json=as_json)


def quality_line(measured: dict[str, Any]) -> str:
    """Return what a training or an evaluation measured, in one line, with what kind of figure it is."""
    if measured.get("ap50") is None:
        return "not measured: too few frames to keep some for that"
    kind = {
        "cross_validation": " by cross-validation (an estimate, no test score)",
        "held_out": " held out of training (no test score: they chose the threshold)",
    }.get(measured.get("how", ""), "")
    return (
        f"AP50 {percent(measured['ap50'])}, AP {percent(measured['ap'])} on {measured['images']} frames"
        f"{kind}; recommended threshold {measured['threshold']:.2f}"
    )


def version_number(text: str) -> int:
    """Return the number of `3` or `v3`.

    Raises:
        InputError: It is no version.
    """
    number = text.removeprefix("v")
    if not number.isdecimal() or int(number) < 1:
        message = f"{text!r}: a version is a number from 1 on, as 2 or v2"
        raise InputError(message)
    return int(number)


def _examples(images: Path | None, video: Path | None, labels: Path | None) -> Examples | None:
    """Return the files that are named; none when none are."""
    if images is None and video is None and labels is None:
        return None
    examples = Examples(images, video, labels)
    examples.check(labels_needed=True)
    return examples


def _open(examples: Examples | None) -> MeasuredFiles | None:
    if examples is None:
        return None
    return open_test_files(examples.labels or Path(), examples.images, examples.video)


def _find(folder: HomeFolder, reference: str) -> None:
    """Say what is mistyped before torch is imported.

    Raises:
        NotFoundError: There is no such detector or version.
    """
    from cloud.actions.detectors import split_reference

    name, version = split_reference(reference)
    with folder.database.read() as session:
        detectors.find_version(session, detectors.find(session, name).id, version)


def _existing(footage: list[Path] | None) -> tuple[Path, ...]:
    for path in footage or ():
        if not path.is_file():
            message = f"--footage {path}: no such file"
            raise InputError(message)
    return tuple(footage or ())


def _in_full(
    folder: HomeFolder,
    detector: str,
    files: MeasuredFiles | None,
    measured: dict[str, Any],
    footage: tuple[Path, ...],
    *,
    full: bool,
    page: Path | None,
) -> list[str]:
    """Measure everything, add it to the answer as `report`, and return lines for people."""
    from cloud.evaluation.full import Scope
    from cloud.evaluation.page import interval, render_evaluation
    from cloud.worker.compare import write_page
    from cloud.worker.evaluate import report_on

    report = report_on(folder, detector, files, Scope(robustness=full, footage=footage))
    measured["report"] = _without_pictures(report.model_dump(mode="json"))
    lines = [f"  95 % interval: AP50 {interval(report.ap50)}, AP {interval(report.ap)}"]
    lines += [f"  {one.name:24} AP50 {percent(one.ap50)} ({-one.drop:+.3f})" for one in report.robustness]
    lines += [
        f"  false alarms on {one.footage}: {one.episodes} in {one.seconds:.0f} s" for one in report.alarms
    ]
    if page is not None:
        write_page(page, render_evaluation(report))
        lines.append(f"  the whole report: {page}")
    return lines


def _comparison_lines(made: Any, page: Path | None) -> list[str]:  # noqa: ANN401 - ComparisonReport, of a late import
    counts = (
        f"  fixed {len(made.fixed)}, broken {len(made.broken)}; "
        f"missed {made.old.missed} -> {made.new.missed}, "
        f"false alarms {made.old.false_alarms} -> {made.new.false_alarms}"
    )
    return [made.words, counts, *([f"  the whole report: {page}"] if page is not None else [])]


def _class_lines(measured: dict[str, Any]) -> list[str]:
    return [
        f"  {name:24} AP50 {percent(one['ap50'])}  AP {percent(one['ap'])}  of {one['truth']}"
        for name, one in measured["per_class"].items()
    ]


def _without_pictures(document: dict[str, Any]) -> dict[str, Any]:
    """Return a report without its cut-outs: they are for the page."""
    for part in ("mistakes", "fixed", "broken"):
        for finding in document.get(part, ()):
            finding.pop("picture", None)
    return document
