"""Measures a trained detector on labelled frames."""

from __future__ import annotations

from typing import Any

from cloud.actions.detectors import split_reference
from cloud.actions.frozen import clean_test_frames
from cloud.actions.held_out import MeasuredFiles, has_test_material, keep_test_material
from cloud.actions.measured import evaluation_files, write_report
from cloud.actions.open_home import Home
from cloud.detector.full import FullDetector
from cloud.errors import InputError
from cloud.evaluation.full import Scope, evaluate_fully
from cloud.evaluation.page import render_evaluation
from cloud.evaluation.report import EvaluationReport
from cloud.store import detectors
from cloud.training.evaluate import evaluate as measure
from cloud.worker.loader import load_version
from cloud.worker.progress import Listener, Progress
from cloud.worker.warn import warnings_on
from edge_agent.errors import StorageError

_NO_TEST = (
    "it has no test frames yet: from 30 labelled frames on some are set apart at training; "
    "until then give --images DIR or --video FILE with --labels"
)


def evaluate(home: Home, reference: str, files: MeasuredFiles, *, keep: bool = True) -> dict[str, Any]:
    """Return COCO metrics of a detector on frames of the user's files.

    Args:
        home: Where the detector lies.
        reference: Its name or id; with `@version` an older one.
        files: What to measure on.
        keep: Keep the files as the detector's test material when it has none yet, so that the next
            versions and their receipts are measured on the same frames.

    Returns:
        `ap50`, `ap`, `per_class`, `threshold`, `images`; `kept`, the labelled frames that are now test
        material; `warnings`, a line each.

    Raises:
        NotFoundError: There is no such detector.
        InputError: The labels or pictures are wrong.
    """
    detector = load_version(home, reference)
    frames = files.frames()
    warnings = warnings_on(home, detector, files, frames)
    metrics = metrics_of(measure(detector, frames).model_dump(mode="json"))
    kept = _keep(home, detector, files, warnings) if keep else 0
    return {**metrics, "kept": kept, "warnings": warnings}


def evaluate_on_test(home: Home, reference: str) -> dict[str, Any]:
    """Return what `evaluate` returns, on the detector's frozen test split.

    Raises:
        NotFoundError: There is no such detector or version.
        InputError: It has no test frames.
    """
    detector = _with_test(home, reference)
    metrics = metrics_of(measure(detector, detector.test_frames).model_dump(mode="json"))
    return {**metrics, "kept": 0, "warnings": []}


def report_on(home: Home, reference: str, files: MeasuredFiles | None, scope: Scope) -> EvaluationReport:
    """Return all that can be said about a version; what is said of its frozen test split is kept.

    Args:
        home: Where the detector lies.
        reference: Its name or id; with `@version` an older one.
        files: Frames of the user; none: the frozen test split.
        scope: What to look at beside the frames as they are.

    Raises:
        NotFoundError: There is no such detector or version.
        InputError: There is nothing to measure on, or it cannot be read.
    """
    if files is not None:
        detector = load_version(home, reference)
        frames = files.frames()
        warnings = warnings_on(home, detector, files, frames)
        return evaluate_fully(detector, frames, scope, source="files", clock=home.clock, warnings=warnings)
    detector = _with_test(home, reference)
    report = evaluate_fully(detector, detector.test_frames, scope, source="test", clock=home.clock)
    places = evaluation_files(home.settings, detector.ref.id, detector.ref.version)
    write_report(places, report.to_json(), render_evaluation(report))
    return report


def evaluate_job(home: Home, job: dict[str, Any], progress: Listener) -> dict[str, Any]:
    """Do a job of the server: measure a version on its test split, and keep the report."""
    progress(Progress("measuring", 0.0, "looks at the test frames, also made worse"))
    report = report_on(home, f"{job['detector_id']}@{job['version']}", None, Scope())
    return {
        "version": job["version"],
        "images": report.images,
        "ap50": report.ap50.model_dump(mode="json"),
        "ap": report.ap.model_dump(mode="json"),
    }


def metrics_of(quality: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that `evaluate --json` prints."""
    return {key: quality[key] for key in ("ap50", "ap", "per_class", "threshold", "images")}


def _keep(home: Home, detector: FullDetector, files: MeasuredFiles, warnings: list[str]) -> int:
    """Keep the files as test material where there is none yet; return how many frames that is."""
    with home.database.read() as session:
        if has_test_material(session, detector.ref.id):
            return 0
    try:
        return keep_test_material(home, detector.ref.id, files).frames
    except StorageError as error:
        # What was measured is worth more than what could not be kept.
        warnings.append(f"not kept as test material: {error}")
        return 0


def _with_test(home: Home, reference: str) -> FullDetector:
    """Return a version with its frozen test frames, which fewer frames than 30 do not give."""
    name, version = split_reference(reference)
    with home.database.read() as session:
        row = detectors.find(session, name)
        found = detectors.find_version(session, row.id, version)
        frames = clean_test_frames(home, session, row.id, found.version)
    if not frames:
        message = f"detector {row.name!r}: {_NO_TEST}"
        raise InputError(message)
    return load_version(home, f"{row.id}@{found.version}")
