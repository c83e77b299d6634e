"""Measures a trained detector on labelled frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloud.actions.open_home import Home
from cloud.datasets.coco import CocoImage, in_folder, labelled_frames, read_coco
from cloud.datasets.frames import LabelledFrame
from cloud.errors import InputError
from cloud.training.evaluate import evaluate as measure
from cloud.worker.loader import load_version


def evaluate(
    home: Home, reference: str, *, labels: Path, images: Path | None = None, video: Path | None = None
) -> dict[str, Any]:
    """Return COCO metrics of a detector on frames of the user's files.

    Args:
        home: Where the detector lies.
        reference: Its name or id; with `@version` an older one.
        labels: COCO file.
        images: Folder of the pictures that it names, or
        video: the video of whose frames it speaks.

    Raises:
        NotFoundError: There is no such detector.
        InputError: The labels or pictures are wrong.
    """
    detector = load_version(home, reference)
    return metrics_of(measure(detector, read_frames(labels, images, video)).model_dump(mode="json"))


def read_frames(labels: Path, images: Path | None, video: Path | None) -> Sequence[LabelledFrame]:
    """Return the labelled frames of a COCO file with their pictures.

    Raises:
        InputError: The labels or pictures are wrong.
    """
    coco = read_coco(labels)
    if images is not None:
        if not images.is_dir():
            message = f"{images}: no such folder"
            raise InputError(message)
        return labelled_frames(coco, in_folder(images))
    if video is None or not video.is_file():
        message = f"{video}: no such file" if video else "give --images DIR or --video FILE"
        raise InputError(message)
    if frameless := [image.id for image in coco.images if image.frame_index is None]:
        message = f"{labels.name}: image {frameless[0]} has no 'frame_index', so it is no frame of a video"
        raise InputError(message)

    def find(_image: CocoImage) -> Path:
        return video

    return labelled_frames(coco, find)


def metrics_of(quality: dict[str, Any]) -> dict[str, Any]:
    """Return what `evaluate --json` prints."""
    return {key: quality[key] for key in ("ap50", "ap", "per_class", "threshold", "images")}
