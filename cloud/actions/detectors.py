"""Detectors: what state they are in, and their end."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from cloud.errors import InputError
from cloud.settings import Settings
from cloud.store import detectors, jobs
from cloud.store.files import remove_tree
from cloud.store.tables import Detector

DetectorState = Literal["empty", "teaching", "training", "trained"]


def state_of(session: Session, detector: Detector, counts: dict[str, int]) -> DetectorState:
    """Return what a detector waits for: examples, a training, its end, or use."""
    if any(
        job.kind == "train" and job.state not in jobs.ENDED for job in jobs.of_detector(session, detector.id)
    ):
        return "training"
    if detector.versions:
        return "trained"
    return "teaching" if counts["labelled_frames"] else "empty"


def version_path(settings: Settings, detector_id: str, version: int) -> Path:
    """Return the folder of one trained version."""
    return settings.detectors_path / detector_id / f"v{version}"


def delete(session: Session, settings: Settings, detector_id: str) -> None:
    """Remove a detector with its examples, versions and bundles; what devices run goes on.

    Raises:
        NotFoundError: There is no such detector.
    """
    detectors.delete(session, detector_id)
    for folder in (settings.media_path, settings.detectors_path, settings.bundles_path):
        remove_tree(folder / detector_id)


def split_reference(reference: str) -> tuple[str, int | None]:
    """Return name or id, and the version where one is given.

    Raises:
        InputError: What stands after `@` is no version.
    """
    name, at, version = reference.partition("@")
    if not at:
        return name, None
    if not version.isdecimal() or int(version) < 1:
        message = f"{reference!r}: a version is a number from 1 on, as in {name}@2"
        raise InputError(message)
    return name, int(version)
