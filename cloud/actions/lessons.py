"""What a detector learns from: labelled frames, and corrections whose key frame has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.datasets.images import image_size
from cloud.errors import TrainingError
from cloud.settings import Settings
from cloud.store import corrections, detectors, labels
from cloud.store.tables import Frame, Media, StoredCorrection
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import DetectorRef

# Around a false alarm the surroundings are background too; around a drawn box they may hold what nobody drew.
_WRONG_MARGIN = 0.25
_DRAWN_MARGIN = 0.1


@dataclass(frozen=True)
class Material:
    """What a training works with."""

    ref: DetectorRef
    classes: list[str]
    frames: list[LabelledFrame]
    test_frames: list[LabelledFrame]


def gather(home: Home, reference: str) -> Material:
    """Return what the next version of a detector is to learn from.

    Raises:
        NotFoundError: There is no such detector.
        TrainingError: Nothing is labelled yet.
    """
    with home.database.read() as session:
        detector = detectors.find(session, reference)
        frames = lessons_of(session, home.settings.home, detector.id)
        tests = labelled_frames(session, home.settings.home, detector.id, "test")
        version = detectors.next_version(session, detector.id)
    seen = {box.label for frame in frames for box in frame.boxes}
    classes = [name for name in classes_of(detector.labels, frames) if name in seen]
    if not classes:
        message = f"detector {detector.name!r} has no boxes to learn from yet; draw some, or give --labels"
        raise TrainingError(message)
    return Material(DetectorRef(id=detector.id, name=detector.name, version=version), classes, frames, tests)


def lessons_of(session: Session, home: Path, detector_id: str) -> list[LabelledFrame]:
    """Return all that a detector can learn from, in a stable order.

    A frame without boxes counts only when somebody said that nothing is there.
    """
    return [
        *labelled_frames(session, home, detector_id),
        *corrected_frames(session, home, detector_id),
    ]


def labelled_frames(
    session: Session, home: Path, detector_id: str, role: str = "teach"
) -> list[LabelledFrame]:
    """Return the frames that people labelled, to teach with or to test on."""
    rows = labels.of_detector(session, detector_id, role)
    return [_labelled(home, media, frame) for media, frame in rows if frame.boxes or frame.nothing_here]


def tagged_frames(session: Session, home: Path, detector_id: str, role: str = "teach") -> list[LabelledFrame]:
    """Return the frames of which people said what is somewhere in them, to learn presence from.

    "Nothing here" says that none of the classes is. Boxes say nothing about classes that were not drawn, so
    a frame with boxes and without tags is not among these.
    """
    rows = labels.of_detector(session, detector_id, role)
    frames = [
        _labelled(home, media, frame) for media, frame in rows if frame.tags is not None or frame.nothing_here
    ]
    return [replace(frame, tags=frame.tags or ()) for frame in frames]


def corrected_frames(session: Session, home: Path, detector_id: str) -> list[LabelledFrame]:
    """Return corrections as partial frames: only around the box is known what is there."""
    newest: dict[str, StoredCorrection] = {}
    for row in reversed(corrections.every(session, detector_id)):
        newest[row.event_id or row.id] = row
    frames = [_corrected(home, row) for row in newest.values()]
    return [frame for frame in frames if frame is not None]


def classes_of(known: Sequence[str], frames: Sequence[LabelledFrame]) -> list[str]:
    """Return the classes in a stable order: those known before, then new ones by name."""
    found = sorted({box.label for frame in frames for box in frame.boxes})
    return list(dict.fromkeys([*known, *found]))


def around(box: XyxyNorm, margin: float) -> XyxyNorm:
    """Return a box with a margin of `margin` times its own size on each side, within the picture."""
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) * margin, (y2 - y1) * margin
    return (max(0.0, x1 - dx), max(0.0, y1 - dy), min(1.0, x2 + dx), min(1.0, y2 + dy))


def media_path(settings: Settings, media: Media) -> Path:
    """Return where the file of a medium lies."""
    return settings.home / media.path


def source_of(home: Path, media: Media, frame_index: int) -> PictureSource:
    """Return where the pixels of a frame are."""
    return PictureSource(home / media.path, None if media.kind == "image" else frame_index)


def _labelled(home: Path, media: Media, frame: Frame) -> LabelledFrame:
    said = labels.labels_of(frame)
    return LabelledFrame(
        source=source_of(home, media, frame.frame_index),
        width_px=media.width_px,
        height_px=media.height_px,
        boxes=tuple(LabelledBox(label, box) for label, box in said.boxes),
        trusted_xyxy_norm=said.trusted_xyxy_norm,
        tags=said.tags,
    )


def _corrected(home: Path, row: StoredCorrection) -> LabelledFrame | None:
    if row.key_frame_path is None or row.box is None or row.verdict == "right":
        return None
    x1, y1, x2, y2 = row.box
    box = (x1, y1, x2, y2)
    is_background = row.verdict == "wrong"
    if not is_background and row.label is None:
        return None
    path = home / row.key_frame_path
    width, height = image_size(path)
    return LabelledFrame(
        source=PictureSource(path),
        width_px=width,
        height_px=height,
        boxes=() if is_background else (LabelledBox(str(row.label), box),),
        trusted_xyxy_norm=(around(box, _WRONG_MARGIN if is_background else _DRAWN_MARGIN),),
    )
