"""Queries about labelled frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from cloud.errors import ConflictError
from cloud.store.tables import Frame, LabelBox, Media
from edge_agent.wire.base import XyxyNorm


@dataclass(frozen=True)
class FrameLabels:
    """What people say about one frame: (label, xyxy_norm) pairs.

    `trusted_xyxy_norm` is none when the whole picture was looked at, else the regions where the labels hold.
    `tags` are the classes that are somewhere in the picture, none when nobody said so of the whole picture.
    """

    boxes: tuple[tuple[str, XyxyNorm], ...]
    nothing_here: bool = False
    trusted_xyxy_norm: tuple[XyxyNorm, ...] | None = None
    tags: tuple[str, ...] | None = None


def find(session: Session, media_id: str, frame_index: int) -> Frame | None:
    """Return the labels of a frame, or none when nobody labelled it."""
    query = select(Frame).where(Frame.media_id == media_id, Frame.frame_index == frame_index)
    return session.scalar(query.options(selectinload(Frame.boxes)))


def put(
    session: Session, *, media_id: str, frame_index: int, revision: int, labels: FrameLabels, now_s: float
) -> Frame:
    """Replace the labels of a frame.

    Args:
        session: A write session.
        media_id: Which medium.
        frame_index: 0-based over the decoded frames; 0 for a picture.
        revision: The revision that the caller saw; 0 when there were no labels.
        labels: What holds from now on.
        now_s: UTC seconds since 1970.

    Raises:
        ConflictError: Somebody changed the labels since.
    """
    frame = find(session, media_id, frame_index)
    seen = 0 if frame is None else frame.revision
    if revision != seen:
        message = f"frame {frame_index} was changed meanwhile: revision {seen}, not {revision}; load it again"
        raise ConflictError(message)
    if frame is None:
        frame = Frame(media_id=media_id, frame_index=frame_index, revision=0, boxes=[])
        session.add(frame)
    frame.revision = seen + 1
    frame.updated = now_s
    frame.nothing_here = labels.nothing_here
    trusted = labels.trusted_xyxy_norm
    frame.trusted = None if trusted is None else [list(region) for region in trusted]
    frame.tags = None if labels.tags is None else list(labels.tags)
    frame.boxes = [_row(label, box) for label, box in labels.boxes]
    session.flush()
    return frame


def of_media(session: Session, media_id: str) -> list[Frame]:
    """Return the labelled frames of a medium in order."""
    query = select(Frame).where(Frame.media_id == media_id).order_by(Frame.frame_index)
    return list(session.scalars(query.options(selectinload(Frame.boxes))))


def of_detector(session: Session, detector_id: str, role: str = "teach") -> Sequence[tuple[Media, Frame]]:
    """Return the labelled frames of a detector on media of one role, with these, in a stable order."""
    query = (
        select(Media, Frame)
        .join(Frame, Frame.media_id == Media.id)
        .where(Media.detector_id == detector_id, Media.role == role)
        .order_by(Media.created, Media.name, Frame.frame_index)
        .options(selectinload(Frame.boxes))
    )
    return [(media, frame) for media, frame in session.execute(query)]


def labels_of(frame: Frame) -> FrameLabels:
    """Return the labels of a row."""
    boxes = tuple((box.label, (box.x1, box.y1, box.x2, box.y2)) for box in frame.boxes)
    trusted = None if frame.trusted is None else tuple(_region(region) for region in frame.trusted)
    tags = None if frame.tags is None else tuple(frame.tags)
    return FrameLabels(boxes, frame.nothing_here, trusted, tags)


def says_something(frame: Frame) -> bool:
    """Return whether people said anything about a frame, and did not take it back."""
    return bool(frame.boxes) or frame.nothing_here or frame.tags is not None


def _row(label: str, box: XyxyNorm) -> LabelBox:
    x1, y1, x2, y2 = box
    return LabelBox(label=label, x1=x1, y1=y1, x2=x2, y2=y2)


def _region(corners: Sequence[float]) -> XyxyNorm:
    x1, y1, x2, y2 = corners
    return (x1, y1, x2, y2)
