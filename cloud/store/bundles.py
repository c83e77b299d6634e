"""Queries about compressed bundles."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.store import scope
from cloud.store.tables import BundleRow
from edge_agent.wire.sync import BundleTarget


def add(session: Session, bundle: BundleRow) -> BundleRow:
    """Note a bundle whose file is on the disk."""
    session.add(bundle)
    session.flush()
    return bundle


def find(session: Session, bundle_id: str) -> BundleRow:
    """Return one bundle.

    Raises:
        NotFoundError: There is none.
    """
    bundle = session.get(BundleRow, bundle_id)
    if bundle is None:
        message = f"there is no bundle {bundle_id!r}; `elfowl-cloud bundle list` shows all"
        raise NotFoundError(message)
    return bundle


def id_of(session: Session, sha256: str) -> str | None:
    """Return the published bundle with these bytes; the newest of several, none when there is none."""
    query = select(BundleRow.id).where(BundleRow.sha256 == sha256, BundleRow.target.is_not(None))
    return session.scalars(query.order_by(BundleRow.release.desc())).first()


def every(session: Session, detector_id: str | None = None) -> list[BundleRow]:
    """Return bundles, newest first; of one detector, or all."""
    query = select(BundleRow).order_by(BundleRow.created.desc(), BundleRow.id)
    if detector_id is not None:
        query = query.where(BundleRow.detector_id == detector_id)
    return list(session.scalars(query))


def trunk_in_use(session: Session, detector_id: str, profile: str) -> BundleRow | None:
    """Return the bundle whose trunk cameras of a profile have: the one published last, else the newest.

    New heads are made for it, so that those cameras fetch no more than these.
    """
    query = (
        select(BundleRow)
        .where(BundleRow.detector_id == detector_id, BundleRow.profile == profile)
        .order_by(BundleRow.release.desc().nulls_last(), BundleRow.created.desc(), BundleRow.id)
    )
    return session.scalars(query).first()


def next_release(session: Session) -> int:
    """Return the next release counter; it grows with each publication, whatever is published."""
    with scope.seeing(session, None):
        return (session.scalar(select(func.max(BundleRow.release))) or 0) + 1


def note_published(session: Session, bundle_id: str, target: BundleTarget) -> BundleRow:
    """Note that a bundle is signed and offered."""
    bundle = find(session, bundle_id)
    bundle.state, bundle.release, bundle.target = "published", target.release, target.to_json()
    return bundle
