"""COCO labels in: checked against the media that they are about, then stored all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from cloud.actions.media import Role, Share, Staged, map_of, note, refuse_unready, stage
from cloud.actions.open_home import Home
from cloud.datasets.coco import CocoImage, CocoLabels, in_folder
from cloud.datasets.label_set import IMAGE_SUFFIXES
from cloud.datasets.playback import PlaybackMap
from cloud.errors import InputError
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


def import_labelled(
    home: Home,
    *,
    detector_id: str,
    images: Path | None,
    video: Path | None,
    coco: CocoLabels,
    role: Role = "teach",
    progress: Share | None = None,
) -> Imported:
    """Take in the pictures of a folder that a COCO file names, or a video, with their labels: all or nothing.

    Raises:
        InputError: A file is missing or broken, its size is not what the labels say, or it has no such frame.
        StorageError: The disk is full.
    """
    find = in_folder(images) if images is not None else (lambda _image: video or Path())
    paths = {image.id: find(image) for image in coco.images}
    staged: dict[Path, Staged] = {}
    try:
        for path in dict.fromkeys(paths.values()):
            staged[path] = stage(home.settings, detector_id, path, progress=progress)
        now_s = home.clock.now_s()
        with home.database.write(durable=True) as session:
            rows = {
                path: note(session, home.settings, one, detector_id, now_s, role)
                for path, one in staged.items()
            }
            pairs = [(rows[paths[image.id]], image) for image in coco.images]
            classes = coco.classes if role == "teach" else ()
            return _store(session, detector_id, classes, pairs, now_s)
    except BaseException:
        for one in staged.values():
            one.discard()
        raise


def import_for_media(session: Session, row: Media, coco: CocoLabels, *, now_s: float) -> Imported:
    """Take in labels of one medium that is known.

    Raises:
        InputError: The labels name frames that it has not, or another size.
        ConflictError: It is still being prepared.
    """
    refuse_unready(row)
    images = coco.images
    if row.kind == "image":
        images = tuple(image for image in images if Path(image.file_name).name == row.name) or images
        if len(images) != 1:
            message = f"the labels are of {len(images)} pictures, none of them named {row.name}"
            raise InputError(message)
    pairs = [(row, image) for image in images]
    classes = coco.classes if row.role == "teach" else ()
    return _store(session, row.detector_id, classes, pairs, now_s)


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
    maps = {row.id: map_of(row) for row, _ in pairs}
    for row, image in pairs:
        index = _checked_index(row, image, maps[row.id])
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


def _checked_index(row: Media, image: CocoImage, shown: PlaybackMap | None) -> int:
    if row.kind == "image":
        index = 0
    elif image.frame_index is None:
        message = f"image {image.id} of the labels has no 'frame_index'; a frame of {row.name} needs one"
        raise InputError(message)
    else:
        index = copy_frame(row, shown, image.frame_index)
    if index >= row.frame_count:
        message = f"image {image.id} is frame {index}, but {row.name} has {row.frame_count}, numbered from 0"
        raise InputError(message)
    check_shape(row, (image.width_px, image.height_px), f"image {image.id}")
    return index


def copy_frame(row: Media, shown: PlaybackMap | None, source_frame: int) -> int:
    """Return the frame of a video's playback copy that shows a frame of the upload.

    Raises:
        InputError: The copy leaves it out, because frames follow each other too quickly there.
    """
    if shown is None:
        return source_frame
    found = shown.to_copy(source_frame)
    if found is None and source_frame <= shown.source_frames[-1]:
        message = f"frame {source_frame} of {row.name} is shown too briefly to be kept; label its neighbour"
        raise InputError(message)
    # Past the end: the number itself says so.
    return max(source_frame, row.frame_count) if found is None else found


def check_shape(row: Media, labelled_px: tuple[int, int], place: str) -> None:
    """Refuse labels that are for a picture of another shape; another scale is fine.

    Raises:
        InputError: The shapes differ.
    """
    labelled, actual = labelled_px[0] / labelled_px[1], row.width_px / row.height_px
    if abs(labelled / actual - 1) > _SIZE_TOLERANCE:
        message = (
            f"{place}: the labels are for {labelled_px[0]}x{labelled_px[1]}, "
            f"but {row.name} has {row.width_px}x{row.height_px}; export them again"
        )
        raise InputError(message)
