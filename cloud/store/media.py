"""Queries about pictures and videos."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.store.tables import Media


def add(session: Session, media: Media) -> Media:
    """Note a medium whose file is on the disk; the same content of one detector is noted once."""
    query = select(Media).where(
        Media.detector_id == media.detector_id,
        Media.sha256 == media.sha256,
        Media.name == media.name,
        Media.role == media.role,
    )
    if (known := session.scalar(query)) is not None:
        return known
    session.add(media)
    session.flush()
    return media


def find(session: Session, media_id: str) -> Media:
    """Return one medium.

    Raises:
        NotFoundError: There is none.
    """
    media = session.get(Media, media_id)
    if media is None:
        message = f"there is no medium {media_id!r}"
        raise NotFoundError(message)
    return media


def of_detector(session: Session, detector_id: str) -> list[Media]:
    """Return the media of a detector, oldest first."""
    query = select(Media).where(Media.detector_id == detector_id).order_by(Media.created, Media.name)
    return list(session.scalars(query))
