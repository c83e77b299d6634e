"""What people do with saved searches: keep, list, forget."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.errors import ConflictError
from cloud.notify.outbox import rule_of
from cloud.search.parse import parse_query
from cloud.search.zone import zone_of
from cloud.store import alerts, saved_searches
from cloud.store.search_tables import SavedSearchRow


@dataclass(frozen=True)
class Saved:
    """A saved search, and the names of the alerts that watch by it."""

    row: SavedSearchRow
    alerts: tuple[str, ...]


def save(session: Session, *, name: str, text: str, timezone: str, now_s: float) -> Saved:
    """Keep a search under a name.

    Raises:
        InputError: The text means no search, or there is no such time zone.
        ConflictError: Another one has its name.
    """
    query = str(parse_query(text))
    zone_of(timezone)
    return Saved(saved_searches.add(session, name=name, query=query, timezone=timezone, now_s=now_s), ())


def every(session: Session) -> list[Saved]:
    """Return all saved searches by name."""
    watched = _watched(session)
    return [Saved(row, tuple(watched.get(row.id, ()))) for row in saved_searches.every(session)]


def forget(session: Session, name_or_id: str) -> None:
    """Forget a saved search.

    Raises:
        NotFoundError: There is none.
        ConflictError: An alert watches by it.
    """
    row = saved_searches.find(session, name_or_id)
    if names := _watched(session).get(row.id):
        message = (
            f"the saved search {row.name!r} is what alert {names[0]!r} watches by; remove that one first"
        )
        raise ConflictError(message)
    session.delete(row)


def _watched(session: Session) -> dict[str, list[str]]:
    """Return the names of alerts by the saved search that they watch by."""
    names: dict[str, list[str]] = {}
    for row in alerts.rules(session):
        rule = rule_of(row)
        if rule is not None and rule.search is not None:
            names.setdefault(rule.search, []).append(row.name)
    return names
