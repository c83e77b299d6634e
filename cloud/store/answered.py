"""Queries about requests that may come twice, and what they were answered."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cloud.store.account_tables import AnsweredRow

KEEP_S = 86_400.0


def begin(session: Session, digest: str, body_sha256: str, *, now_s: float) -> AnsweredRow | None:
    """Return the row of the same request, if it came already; else note that it is being answered.

    Args:
        session: A write session, so that of two at once one is first.
        digest: Of caller, address and key.
        body_sha256: Of the request's body.
        now_s: UTC seconds since 1970; what is older than a day is forgotten.
    """
    session.execute(delete(AnsweredRow).where(AnsweredRow.created < now_s - KEEP_S))
    known = session.get(AnsweredRow, digest)
    if known is None:
        session.add(AnsweredRow(digest=digest, body_sha256=body_sha256, created=now_s))
    return known


def keep(
    session: Session, digest: str, *, status: int, content_type: str | None, location: str | None, body: bytes
) -> None:
    """Note what a request was answered."""
    row = session.get(AnsweredRow, digest)
    if row is not None:
        row.status, row.content_type, row.location, row.body = status, content_type, location, body


def forget(session: Session, digest: str) -> None:
    """Let a request be asked again, as nothing came of it."""
    session.execute(delete(AnsweredRow).where(AnsweredRow.digest == digest))
