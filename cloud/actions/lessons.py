"""What a detector learns from: labelled frames, and corrections whose key frame has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from cloud.actions.corrected import correct, newest_of_each, standing_of
from cloud.actions.open_home import Home
from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.datasets.images import image_size
from cloud.datasets.tags import frames_of_tags
from cloud.errors import TrainingError
from cloud.settings import Settings
from cloud.store import corrections, detectors, labels, media
from cloud.store.tables import Frame, Media
from edge_agent.wire.correction import Correction
from edge_agent.wire.detection import DetectorRef

Kind = Literal["boxes", "presence"]
"""What is taught: things and their places, or whether they are in the picture at all."""


@dataclass(frozen=True)
class Material:
    """What a training works with."""

    ref: DetectorRef
    classes: list[str]
    frames: list[LabelledFrame]
    test_frames: list[LabelledFrame]
    kind: Kind = "boxes"
    """Presence where there are whole-frame tags and no box at all."""


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
        tagged = [
            frames_with_tags(session, home.settings.home, detector.id, role) for role in ("teach", "test")
        ]
    ref = DetectorRef(id=detector.id, name=detector.name, version=version)
    if classes := _classes_in(detector.labels, frames):
        return Material(ref, classes, frames, tests)
    if classes := _classes_in(detector.labels, tagged[0]):
        return Material(ref, classes, tagged[0], tagged[1], "presence")
    message = f"detector {detector.name!r} has no boxes to learn from yet; draw some, or give --labels"
    raise TrainingError(message)


def _classes_in(known: Sequence[str], frames: Sequence[LabelledFrame]) -> list[str]:
    seen = {box.label for frame in frames for box in frame.boxes}
    return [name for name in classes_of(known, frames) if name in seen]


def lessons_of(session: Session, home: Path, detector_id: str) -> list[LabelledFrame]:
    """Return all that a detector can learn from, in a stable order.

    A frame without boxes counts only when somebody said that nothing is there.
    """
    return [
        *_corrected_on_media(session, home, detector_id),
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


def frames_with_tags(session: Session, home: Path, detector_id: str, role: str) -> list[LabelledFrame]:
    """Return the tagged frames, each tag as a box of the whole picture."""
    return frames_of_tags(tagged_frames(session, home, detector_id, role))


def corrected_frames(session: Session, home: Path, detector_id: str) -> list[LabelledFrame]:
    """Return corrections of what cameras saw as partial frames: only around the box is known what is there.

    What was said about the same picture makes one frame.
    """
    rows = {row.id: row for row in corrections.every(session, detector_id)}
    frames: dict[str, LabelledFrame] = {}
    for said in newest_of_each(corrections.document_of(row) for row in rows.values()):
        path = rows[said.id].key_frame_path
        if path is None or said.media_id is not None or not _teaches(said):
            continue
        key = said.key_frame_sha256 or said.id
        frames[key] = correct(frames.get(key) or _unknown(home / path), said)
    return list(frames.values())


def classes_of(known: Sequence[str], frames: Sequence[LabelledFrame]) -> list[str]:
    """Return the classes in a stable order: those known before, then new ones by name."""
    found = sorted({box.label for frame in frames for box in frame.boxes})
    return list(dict.fromkeys([*known, *found]))


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


def _corrected_on_media(session: Session, home: Path, detector_id: str) -> list[LabelledFrame]:
    """Return the labelled frames of media as they are after what was said about them since."""
    frames: dict[tuple[str, int], LabelledFrame] = {}
    updated: dict[tuple[str, int], float] = {}
    for row, frame in labels.of_detector(session, detector_id):
        if frame.boxes or frame.nothing_here:
            frames[row.id, frame.frame_index] = _labelled(home, row, frame)
            updated[row.id, frame.frame_index] = frame.updated
    known = {row.id: row for row in media.of_detector(session, detector_id) if row.role == "teach"}
    rows = corrections.every(session, detector_id)
    for said in newest_of_each(corrections.document_of(row) for row in rows):
        if said.media_id not in known or said.frame_index is None or not _teaches(said):
            continue
        key = (said.media_id, said.frame_index)
        # Who labelled the frame later saw it as a whole.
        if said.created > updated.get(key, float("-inf")):
            base = frames.get(key) or _unlabelled(home, known[said.media_id], said.frame_index)
            frames[key] = correct(base, said)
    return list(frames.values())


def _teaches(said: Correction) -> bool:
    return standing_of(said, taught=True, picture=True, can_come=True) == "lesson"


def _unlabelled(home: Path, row: Media, frame_index: int) -> LabelledFrame:
    source = source_of(home, row, frame_index)
    return LabelledFrame(source, row.width_px, row.height_px, (), trusted_xyxy_norm=())


def _unknown(path: Path) -> LabelledFrame:
    width, height = image_size(path)
    return LabelledFrame(PictureSource(path), width, height, (), trusted_xyxy_norm=())
