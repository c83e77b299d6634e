"""Queries about corrections."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.accounts.workspaces import HOME
from cloud.errors import NotFoundError
from cloud.store import scope, sources
from cloud.store.tables import StoredCorrection
from edge_agent.wire.correction import Correction


def add(session: Session, correction: Correction, *, detector_id: str | None) -> StoredCorrection:
    """Store a correction; `detector_id` is the detector that it teaches."""
    row = StoredCorrection(
        id=correction.id,
        workspace_id=scope.workspace_of(session) or _owner_of(session, correction),
        verdict=correction.verdict,
        device=correction.device,
        event_id=correction.event_id,
        media_id=correction.media_id,
        detector_id=detector_id,
        box=None if correction.box is None else list(correction.box),
        label=correction.label,
        body=correction.to_json(),
        created=correction.created,
    )
    session.add(row)
    session.flush()
    return row


def _owner_of(session: Session, correction: Correction) -> str:
    return HOME if correction.device is None else sources.owner_of_device(session, correction.device)


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


def document_of(row: StoredCorrection) -> Correction:
    """Return what was said, with its provenance."""
    return Correction.from_json(row.body)


def newest_of_event(session: Session, event_id: str) -> StoredCorrection | None:
    """Return what was last said about an event itself and not taken back."""
    query = select(StoredCorrection).where(
        StoredCorrection.event_id == event_id,
        StoredCorrection.verdict != "missed",
        StoredCorrection.withdrawn.is_(None),
    )
    return session.scalar(query.order_by(StoredCorrection.created.desc(), StoredCorrection.id))


def every(
    session: Session, detector_id: str | None = None, *, withdrawn: bool = False
) -> list[StoredCorrection]:
    """Return corrections, newest first; of one detector, or all.

    Args:
        session: Any session.
        detector_id: The detector that they teach; none: any.
        withdrawn: With those that were taken back.
    """
    query = select(StoredCorrection).order_by(StoredCorrection.created.desc(), StoredCorrection.id)
    if detector_id is not None:
        query = query.where(StoredCorrection.detector_id == detector_id)
    if not withdrawn:
        query = query.where(StoredCorrection.withdrawn.is_(None))
    return list(session.scalars(query))


def about_the_same(session: Session, correction: Correction) -> list[StoredCorrection]:
    """Return what else was said about the same event, moment of a camera or frame of a medium; newest first.

    Something missed is about a moment, also where it names the event during which it was.
    """
    query = select(StoredCorrection).where(
        StoredCorrection.withdrawn.is_(None), StoredCorrection.id != correction.id
    )
    if correction.media_id is not None:
        query = query.where(StoredCorrection.media_id == correction.media_id)
    elif correction.verdict == "missed":
        query = query.where(
            StoredCorrection.device == correction.device, StoredCorrection.verdict == "missed"
        )
    else:
        query = query.where(
            StoredCorrection.event_id == correction.event_id, StoredCorrection.verdict != "missed"
        )
    rows = session.scalars(query.order_by(StoredCorrection.created.desc(), StoredCorrection.id))
    return [row for row in rows if _moment_of(document_of(row)) == _moment_of(correction)]


def _moment_of(said: Correction) -> tuple[str | None, float | None, int | None]:
    return said.camera, said.time, said.frame_index


def change(session: Session, correction_id: str, **fields: Any) -> StoredCorrection:  # noqa: ANN401 - fields of a correction
    """Set fields of a correction's document, and of its row where it has them.

    Raises:
        NotFoundError: There is no such correction.
    """
    row = find(session, correction_id)
    changed = document_of(row).model_copy(update=fields)
    row.body, row.label, row.withdrawn = changed.to_json(), changed.label, changed.withdrawn
    row.box = None if changed.box is None else list(changed.box)
    session.flush()
    return row


def note_key_frame(session: Session, correction_id: str, path: str, sha256: str | None) -> None:
    """Note where the picture lies that the correction is about, relative to the home folder."""
    change(session, correction_id, key_frame_sha256=sha256).key_frame_path = path
