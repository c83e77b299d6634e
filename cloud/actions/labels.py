"""COCO labels in: checked against the media that they are about, then stored all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from cloud.actions.media import IMAGE_SUFFIXES, Role, import_file
from cloud.datasets.coco import CocoImage, CocoLabels, in_folder
from cloud.errors import InputError
from cloud.settings import Settings
from cloud.store import detectors, labels
from cloud.store.labels import FrameLabels
from cloud.store.tables import Media

_SIZE_TOLERANCE = 0.02


@dataclass(frozen=True)
class Imported:
    """How much came in."""

    media: int
    frames: int
    boxes: int


def import_folder(
    session: Session,
    settings: Settings,
    *,
    detector_id: str,
    folder: Path,
    coco: CocoLabels,
    now_s: float,
    role: Role = "teach",
) -> Imported:
    """Take in the pictures of a folder that a COCO file names, with their labels.

    Raises:
        InputError: A picture is missing or broken, or its size is not what the labels say.
        StorageError: The disk is full.
    """
    find = in_folder(folder)
    paths = {image.id: find(image) for image in coco.images}
    rows: dict[Path, Media] = {}
    for path in dict.fromkeys(paths.values()):
        rows[path] = import_file(
            session, settings, detector_id=detector_id, source=path, now_s=now_s, role=role
        )
    pairs = [(rows[paths[image.id]], image) for image in coco.images]
    return _store(session, detector_id, coco.classes if role == "teach" else (), pairs, now_s)


def import_video(
    session: Session,
    settings: Settings,
    *,
    detector_id: str,
    video: Path,
    coco: CocoLabels,
    now_s: float,
    role: Role = "teach",
) -> Imported:
    """Take in a video, with the labels of its frames.

    Raises:
        InputError: The video is broken, or the labels name frames that it has not.
        StorageError: The disk is full.
    """
    row = import_file(session, settings, detector_id=detector_id, source=video, now_s=now_s, role=role)
    pairs = [(row, image) for image in coco.images]
    return _store(session, detector_id, coco.classes if role == "teach" else (), pairs, now_s)


def import_for_media(session: Session, row: Media, coco: CocoLabels, *, now_s: float) -> Imported:
    """Take in labels of one medium that is known.

    Raises:
        InputError: The labels name frames that it has not, or another size.
    """
    images = coco.images
    if row.kind == "image":
        images = tuple(image for image in images if Path(image.file_name).name == row.name) or images
        if len(images) != 1:
            message = f"the labels are of {len(images)} pictures, none of them named {row.name}"
            raise InputError(message)
    pairs = [(row, image) for image in images]
    return _store(session, row.detector_id, coco.classes if row.role == "teach" else (), pairs, now_s)


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files of a folder by name.

    Raises:
        InputError: It is no folder, or has no pictures.
    """
    if not folder.is_dir():
        message = f"{folder}: no such folder"
        raise InputError(message)
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
        message = f"{folder}: no pictures in this folder; put some of these kinds there: {kinds}"
        raise InputError(message)
    return found


def _store(
    session: Session,
    detector_id: str,
    classes: Sequence[str],
    pairs: Sequence[tuple[Media, CocoImage]],
    now_s: float,
) -> Imported:
    boxes = 0
    for row, image in pairs:
        index = _checked_index(row, image)
        known = labels.find(session, row.id, index)
        said = FrameLabels(
            tuple((box.label, box.box_xyxy_norm) for box in image.boxes),
            nothing_here=not image.boxes and not image.tags,
            trusted_xyxy_norm=image.trusted_xyxy_norm,
            tags=image.tags,
        )
        labels.put(
            session,
            media_id=row.id,
            frame_index=index,
            revision=0 if known is None else known.revision,
            labels=said,
            now_s=now_s,
        )
        boxes += len(image.boxes)
    detectors.add_labels(session, detector_id, classes)
    return Imported(len({row.id for row, _ in pairs}), len(pairs), boxes)


def _checked_index(row: Media, image: CocoImage) -> int:
    if row.kind == "image":
        index = 0
    elif image.frame_index is None:
        message = f"image {image.id} of the labels has no 'frame_index'; a frame of {row.name} needs one"
        raise InputError(message)
    else:
        index = image.frame_index
    if index >= row.frame_count:
        message = f"image {image.id} is frame {index}, but {row.name} has {row.frame_count}, numbered from 0"
        raise InputError(message)
    labelled, actual = image.width_px / image.height_px, row.width_px / row.height_px
    if abs(labelled / actual - 1) > _SIZE_TOLERANCE:
        message = (
            f"image {image.id}: the labels are for {image.width_px}x{image.height_px}, "
            f"but {row.name} has {row.width_px}x{row.height_px}; export them again"
        )
        raise InputError(message)
    return index
