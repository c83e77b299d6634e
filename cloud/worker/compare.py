"""Compares two versions of a detector, and a fresh one with the one in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cloud.actions.detectors import split_reference, version_path
from cloud.actions.frozen import SetApart, clean_test_frames
from cloud.actions.held_out import MeasuredFiles
from cloud.actions.measured import comparison_files, write_report
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledFrame
from cloud.detector.files import load_detector
from cloud.detector.full import FullDetector
from cloud.errors import InputError
from cloud.evaluation.compare import compare_versions
from cloud.evaluation.page import render_comparison
from cloud.evaluation.report import ComparisonReport, Source
from cloud.store import detectors
from cloud.worker.progress import Listener, Progress
from cloud.worker.warn import warnings_on

_NO_FRAMES = (
    "there are no test frames that neither version has learned from: label 30 frames or more, "
    "or give --images or --video with --labels"
)


def compare(
    home: Home, reference: str, old: int, new: int, files: MeasuredFiles | None = None
) -> ComparisonReport:
    """Compare two versions on the same frames; a comparison on the frozen test split is kept.

    Args:
        home: Where the detector lies.
        reference: Its name or id.
        old: The version to compare with.
        new: The version to judge.
        files: Frames of the user; none: the frozen test split.

    Raises:
        NotFoundError: There is no such detector or version.
        InputError: There is nothing to compare on, or it cannot be read.
    """
    if old == new:
        message = f"version {old} is compared with itself; name two versions"
        raise InputError(message)
    with home.database.read() as session:
        detector_id = detectors.find(session, split_reference(reference)[0]).id
        for version in (old, new):
            detectors.find_version(session, detector_id, version)
        frames = files.frames() if files else clean_test_frames(home, session, detector_id, old, new)
    first, second = (load_detector(version_path(home.settings, detector_id, v)) for v in (old, new))
    warnings = warnings_on(home, second, files, frames) if files else []
    report = _compared(home, first, second, frames, "files" if files else "test", warnings)
    if files is None:
        keep_comparison(home, detector_id, report)
    return report


def compare_with_used(home: Home, fresh: FullDetector, apart: SetApart) -> ComparisonReport | None:
    """Compare a detector that was just trained with the version in use, on the frozen test split.

    Returns:
        None when there is no other version, or no frame that neither has learned from.
    """
    with home.database.read() as session:
        used = detectors.in_use(detectors.find(session, fresh.ref.id).versions)
    if used is None:
        return None
    clean = {mark.key for mark in apart.split.clean_test(used.version)}
    frames = [
        frame
        for frame, mark in zip(apart.material.test_frames, apart.test_marks, strict=True)
        if mark.key in clean and frame.trusted_xyxy_norm is None
    ]
    if not frames:
        return None
    old = load_detector(version_path(home.settings, fresh.ref.id, used.version))
    return _compared(home, old, fresh, frames, "test", [])


def keep_comparison(home: Home, detector_id: str, report: ComparisonReport) -> None:
    """Keep a comparison beside the newer version, as a document and as a page.

    Raises:
        StorageError: The disk is full.
    """
    old, new = report.old.detector.version, report.new.detector.version
    places = comparison_files(home.settings, detector_id, old, new)
    write_report(places, report.to_json(), render_comparison(report))


def compare_job(home: Home, job: dict[str, Any], progress: Listener) -> dict[str, Any]:
    """Do a job of the server: compare two versions on the test split, keep that, return the verdict."""
    progress(Progress("measuring", 0.0, "both versions look at the test frames"))
    return summary(compare(home, job["detector_id"], job["old"], job["new"]))


def summary(report: ComparisonReport) -> dict[str, Any]:
    """Return what a version's metrics say of its comparison with the one in use before."""
    return {
        "with": report.old.detector.version,
        "verdict": report.verdict,
        "words": report.words,
        "ap50": report.ap50.model_dump(mode="json"),
        "images": report.images,
    }


def write_page(path: Path, page: str) -> None:
    """Write a page where the user wants it.

    Raises:
        InputError: It cannot be written there.
    """
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        message = f"--report {path}: {error.strerror or error}"
        raise InputError(message) from error


def _compared(
    home: Home,
    old: FullDetector,
    new: FullDetector,
    frames: list[LabelledFrame],
    source: Source,
    warnings: list[str],
) -> ComparisonReport:
    if not frames:
        raise InputError(_NO_FRAMES)
    return compare_versions(old, new, frames, source=source, clock=home.clock, warnings=warnings)
