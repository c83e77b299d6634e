"""Boxes that a detector offers: a person accepts or rejects them, and nothing is learned from them before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy.orm import Session

from cloud.actions.corrected import around
from cloud.store import detectors, labels, media, proposals
from cloud.store.labels import FrameLabels
from cloud.store.tables import Frame, Proposal
from edge_agent.pipeline.boxes import iou
from edge_agent.wire.base import XyxyNorm

SAME_IOU = 0.7
"""A box that overlaps a labelled one of its class by this much is that one, and is not offered."""

_MARGIN = 0.1


def accept(
    session: Session,
    media_id: str,
    frame_index: int,
    *,
    revision: int,
    ids: Sequence[int] | None,
    now_s: float,
    whole: bool = True,
) -> Frame:
    """Make labels of proposals, beside those that the frame has.

    Args:
        session: A write session.
        media_id: Which medium.
        frame_index: Which frame of it.
        revision: Of the labels that the person saw.
        ids: Which proposals; none: all that are open.
        now_s: UTC seconds since 1970.
        whole: The person looked at the whole picture, so that what is not boxed is background. Else, on a
            frame that was not looked at before, only the surroundings of the boxes count.

    Raises:
        NotFoundError: A proposal is not open any more.
        ConflictError: Somebody changed the labels since.
    """
    taken = proposals.chosen(session, media_id, frame_index, ids)
    before = labels.find(session, media_id, frame_index)
    said = FrameLabels(()) if before is None else labels.labels_of(before)
    boxes = said.boxes + tuple((row.label, box_of(row)) for row in taken)
    trusted = said.trusted_xyxy_norm
    if not whole and (trusted is not None or not (said.boxes or said.nothing_here)):
        trusted = (*(trusted or ()), *(around(box_of(row), _MARGIN) for row in taken))
    changed = labels.put(
        session,
        media_id=media_id,
        frame_index=frame_index,
        revision=revision,
        labels=FrameLabels(boxes, said.nothing_here and not boxes, trusted, said.tags),
        now_s=now_s,
    )
    detector_id = media.find(session, media_id).detector_id
    detectors.add_labels(session, detector_id, [row.label for row in taken])
    proposals.answer(session, taken, proposals.ACCEPTED)
    return changed


def settle(session: Session, media_id: str, frame_index: int) -> None:
    """Count the open proposals of a frame as accepted that somebody drew, or took over, as labels."""
    frame = labels.find(session, media_id, frame_index)
    drawn = () if frame is None else labels.labels_of(frame).boxes
    taken = [row for row in proposals.of_frame(session, media_id, frame_index) if _is_among(row, drawn)]
    proposals.answer(session, taken, proposals.ACCEPTED)


def _is_among(row: Proposal, boxes: Sequence[tuple[str, XyxyNorm]]) -> bool:
    return any(row.label == label and iou(box_of(row), box) >= SAME_IOU for label, box in boxes)


def reject(session: Session, media_id: str, frame_index: int, ids: Sequence[int] | None) -> int:
    """Turn proposals down and return how many; the same box is not offered again.

    Raises:
        NotFoundError: A proposal is not open any more.
    """
    turned_down = proposals.chosen(session, media_id, frame_index, ids)
    proposals.answer(session, turned_down, proposals.REJECTED)
    return len(turned_down)


def answer_all(
    session: Session,
    detector_id: str,
    min_score: float,
    verdict: Literal["accept", "reject"] | None,
    *,
    now_s: float,
) -> dict[str, int]:
    """Accept or reject all open proposals of a detector from a score on; without a verdict, count them.

    Nobody looked at the pictures as a whole: what is accepted so counts only around the boxes.

    Returns:
        `frames` and `boxes`.
    """
    frames = boxes = 0
    for media_id, index in proposals.frames_with_open(session, detector_id):
        rows = proposals.of_frame(session, media_id, index)
        ids = [row.id for row in rows if row.score >= min_score]
        if not ids:
            continue
        frames, boxes = frames + 1, boxes + len(ids)
        if verdict == "reject":
            reject(session, media_id, index, ids)
        elif verdict == "accept":
            known = labels.find(session, media_id, index)
            revision = 0 if known is None else known.revision
            accept(session, media_id, index, revision=revision, ids=ids, now_s=now_s, whole=False)
    return {"frames": frames, "boxes": boxes}


def offer(
    session: Session,
    media_id: str,
    frame_index: int,
    found: Sequence[tuple[str, float, XyxyNorm]],
    *,
    proposed_by: str,
    now_s: float,
) -> int:
    """Offer boxes (label, score, xyxy) for a frame and return how many are new to the person."""
    answered = [
        (row.label, box_of(row))
        for row in proposals.of_frame(session, media_id, frame_index, state=None)
        if row.state != proposals.OPEN
    ]
    frame = labels.find(session, media_id, frame_index)
    known = answered + ([] if frame is None else list(labels.labels_of(frame).boxes))
    rows = [
        Proposal(
            media_id=media_id,
            frame_index=frame_index,
            label=label,
            score=score,
            x1=box[0],
            y1=box[1],
            x2=box[2],
            y2=box[3],
            proposed_by=proposed_by,
            state=proposals.OPEN,
            created=now_s,
        )
        for label, score, box in found
        if not any(label == other and iou(box, place) >= SAME_IOU for other, place in known)
    ]
    return len(proposals.replace_open(session, media_id, frame_index, rows))


def box_of(row: Proposal) -> XyxyNorm:
    """Return the box of a proposal."""
    return (row.x1, row.y1, row.x2, row.y2)
