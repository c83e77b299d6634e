"""Measures a trained detector on labelled frames."""

from __future__ import annotations

from typing import Any

from cloud.actions.held_out import (
    MeasuredFiles,
    count_near,
    has_test_material,
    keep_test_material,
    taught_frames,
    warnings_of,
)
from cloud.actions.open_home import Home
from cloud.training.evaluate import evaluate as measure
from cloud.worker.loader import load_version
from edge_agent.errors import StorageError


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
    with home.database.read() as session:
        near = count_near(frames, taught_frames(session, detector.ref.id))
        keep = keep and not has_test_material(session, detector.ref.id)
    warnings = warnings_of(frames, near, [label.name for label in detector.labels])
    metrics = metrics_of(measure(detector, frames).model_dump(mode="json"))
    kept = 0
    if keep:
        try:
            kept = keep_test_material(home, detector.ref.id, files).frames
        except StorageError as error:
            # What was measured is worth more than what could not be kept.
            warnings.append(f"not kept as test material: {error}")
    return {**metrics, "kept": kept, "warnings": warnings}


def metrics_of(quality: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that `evaluate --json` prints."""
    return {key: quality[key] for key in ("ap50", "ap", "per_class", "threshold", "images")}
