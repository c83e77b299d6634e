"""Queries about saved searches."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import ConflictError, NotFoundError
from cloud.store.ids import new_id
from cloud.store.search_tables import SavedSearchRow


def add(session: Session, *, name: str, query: str, timezone: str, now_s: float) -> SavedSearchRow:
    """Keep a search.

    Raises:
        ConflictError: Another one has its name.
    """
    if session.scalar(select(SavedSearchRow).where(SavedSearchRow.name == name)) is not None:
        message = f"there is a saved search {name!r} already; choose another name"
        raise ConflictError(message)
    row = SavedSearchRow(id=new_id("sea"), name=name, query=query, timezone=timezone, created=now_s)
    session.add(row)
    session.flush()
    return row


def every(session: Session) -> list[SavedSearchRow]:
    """Return all saved searches by name."""
    return list(session.scalars(select(SavedSearchRow).order_by(SavedSearchRow.name)))


def find(session: Session, name_or_id: str) -> SavedSearchRow:
    """Return a saved search by its id or name.

    Raises:
        NotFoundError: There is none.
    """
    wanted = (SavedSearchRow.id == name_or_id) | (SavedSearchRow.name == name_or_id)
    row = session.scalar(select(SavedSearchRow).where(wanted))
    if row is None:
        message = f"there is no saved search {name_or_id!r}"
        raise NotFoundError(message)
    return row


def get(session: Session, search_id: str) -> SavedSearchRow | None:
    """Return a saved search, none when it is gone."""
    return session.get(SavedSearchRow, search_id)
