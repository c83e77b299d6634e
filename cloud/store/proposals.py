"""Queries about boxes that detectors offer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.store.tables import Media, Proposal

OPEN, ACCEPTED, REJECTED = "open", "accepted", "rejected"


def replace_open(
    session: Session, media_id: str, frame_index: int, offered: Iterable[Proposal]
) -> list[Proposal]:
    """Offer boxes for a frame in place of those that were offered and not answered yet."""
    before = delete(Proposal).where(
        Proposal.media_id == media_id, Proposal.frame_index == frame_index, Proposal.state == OPEN
    )
    session.execute(before)
    rows = list(offered)
    session.add_all(rows)
    session.flush()
    return rows


def of_frame(session: Session, media_id: str, frame_index: int, state: str | None = OPEN) -> list[Proposal]:
    """Return what is offered for a frame, the surest first; with `state` none, also what was answered."""
    query = select(Proposal).where(Proposal.media_id == media_id, Proposal.frame_index == frame_index)
    if state is not None:
        query = query.where(Proposal.state == state)
    return list(session.scalars(query.order_by(Proposal.score.desc(), Proposal.id)))


def frames_with_open(session: Session, detector_id: str) -> list[tuple[str, int]]:
    """Return the frames of a detector for which boxes are offered, as (media id, frame index)."""
    query = (
        select(Proposal.media_id, Proposal.frame_index)
        .join(Media, Media.id == Proposal.media_id)
        .where(Media.detector_id == detector_id, Proposal.state == OPEN)
        .distinct()
        .order_by(Media.created, Proposal.media_id, Proposal.frame_index)
    )
    return [(media_id, index) for media_id, index in session.execute(query)]


def chosen(session: Session, media_id: str, frame_index: int, ids: Sequence[int] | None) -> list[Proposal]:
    """Return the open proposals of a frame with these ids, or all.

    Raises:
        NotFoundError: One of them is not open, or of another frame.
    """
    found = of_frame(session, media_id, frame_index)
    if ids is None:
        return found
    missing = sorted(set(ids) - {row.id for row in found})
    if missing:
        message = f"frame {frame_index} has no open proposal {missing[0]}; load them again"
        raise NotFoundError(message)
    return [row for row in found if row.id in set(ids)]


def answer(session: Session, rows: Iterable[Proposal], state: str) -> None:
    """Say of proposals that they were accepted or rejected."""
    ids = [row.id for row in rows]
    session.execute(update(Proposal).where(Proposal.id.in_(ids)).values(state=state))
