"""Queries about corrections."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.store.tables import StoredCorrection
from edge_agent.wire.correction import Correction


def add(session: Session, correction: Correction, *, detector_id: str | None) -> StoredCorrection:
    """Store a correction; `detector_id` is the detector that it teaches."""
    row = StoredCorrection(
        id=correction.id,
        verdict=correction.verdict,
        device=correction.device,
        event_id=correction.event_id,
        detector_id=detector_id,
        box=None if correction.box is None else list(correction.box),
        label=correction.label,
        body=correction.to_json(),
        created=correction.created,
    )
    session.add(row)
    session.flush()
    return row


def find(session: Session, correction_id: str) -> StoredCorrection:
    """Return one correction.

    Raises:
        NotFoundError: There is none.
    """
    row = session.get(StoredCorrection, correction_id)
    if row is None:
        message = f"there is no correction {correction_id!r}"
        raise NotFoundError(message)
    return row


def newest_of_event(session: Session, event_id: str) -> StoredCorrection | None:
    """Return what was last said about an event."""
    query = select(StoredCorrection).where(StoredCorrection.event_id == event_id)
    return session.scalar(query.order_by(StoredCorrection.created.desc(), StoredCorrection.id))


def every(session: Session, detector_id: str | None = None) -> list[StoredCorrection]:
    """Return corrections, newest first; of one detector, or all."""
    query = select(StoredCorrection).order_by(StoredCorrection.created.desc(), StoredCorrection.id)
    if detector_id is not None:
        query = query.where(StoredCorrection.detector_id == detector_id)
    return list(session.scalars(query))


def note_key_frame(session: Session, correction_id: str, path: str) -> None:
    """Note where the picture lies that the correction is about, relative to the home folder."""
    find(session, correction_id).key_frame_path = path
