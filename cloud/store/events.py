"""Queries about events: every document as it came, and the latest state of each event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from cloud.errors import NotFoundError
from cloud.store.tables import DeadLetter, EventState, StoredEvent, Thumbnail
from edge_agent.wire.event import Event

_IDS_PER_QUERY = 500


@dataclass(frozen=True)
class EventQuery:
    """Which events to list; none means any. `before` is a start time in UTC seconds since 1970."""

    device: str | None = None
    camera: str | None = None
    detector: str | None = None
    label: str | None = None
    before: float | None = None
    limit: int = 50


def with_thumbnail(session: Session, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of some (device, event id) came with a picture."""
    by_device: dict[str, list[str]] = {}
    for device, event_id in keys:
        by_device.setdefault(device, []).append(event_id)
    found: set[tuple[str, str]] = set()
    for device, ids in by_device.items():
        for start in range(0, len(ids), _IDS_PER_QUERY):
            query = select(Thumbnail.event_id).where(
                Thumbnail.device == device, Thumbnail.event_id.in_(ids[start : start + _IDS_PER_QUERY])
            )
            found |= {(device, event_id) for event_id in session.scalars(query)}
    return found


def put_thumbnail(session: Session, device: str, event_id: str, jpeg: bytes) -> None:
    """Keep the newest picture of an event."""
    session.merge(Thumbnail(device=device, event_id=event_id, jpeg=jpeg))


def find(session: Session, event_id: str) -> EventState:
    """Return the latest state of an event.

    Raises:
        NotFoundError: There is none.
    """
    query = select(EventState).where(EventState.event_id == event_id).order_by(EventState.received)
    state = session.scalar(query)
    if state is None:
        message = f"there is no event {event_id!r}"
        raise NotFoundError(message)
    return state


def history(session: Session, state: EventState) -> list[Event]:
    """Return all documents of an event in the order of their pictures."""
    query = (
        select(StoredEvent.body)
        .where(StoredEvent.device == state.device, StoredEvent.event_id == state.event_id)
        .order_by(StoredEvent.epoch, StoredEvent.seq)
    )
    return [Event.from_json(body) for body in session.scalars(query)]


def thumbnail(session: Session, event_id: str) -> bytes:
    """Return the picture of an event as a JPEG.

    Raises:
        NotFoundError: There is none.
    """
    state = find(session, event_id)
    row = session.get(Thumbnail, (state.device, event_id))
    if row is None:
        message = f"event {event_id} came without a picture"
        raise NotFoundError(message)
    return row.jpeg


def listing(session: Session, query: EventQuery) -> list[EventState]:
    """Return the latest states of events, newest first."""
    statement = _filtered(select(EventState), query)
    statement = statement.order_by(EventState.start_time.desc(), EventState.event_id.desc())
    return list(session.scalars(statement.limit(query.limit)))


def count(session: Session, *, documents: bool = False) -> int:
    """Return how many events are known; with `documents`, how many event documents are stored."""
    table = StoredEvent if documents else EventState
    return session.scalar(select(func.count()).select_from(table)) or 0


def add_dead_letter(session: Session, *, topic: str, payload: bytes, reason: str, now_s: float) -> None:
    """Keep a message that could not be understood."""
    values = {"topic": topic, "payload": payload, "reason": reason, "received": now_s}
    session.execute(insert(DeadLetter).values(values))


def dead_letters(session: Session, limit: int = 100) -> list[DeadLetter]:
    """Return the messages that could not be understood, newest first."""
    return list(session.scalars(select(DeadLetter).order_by(DeadLetter.id.desc()).limit(limit)))


def _filtered(statement: Select[tuple[EventState]], query: EventQuery) -> Select[tuple[EventState]]:
    wanted = (
        (EventState.device, query.device),
        (EventState.camera, query.camera),
        (EventState.detector_id, query.detector),
        (EventState.label, query.label),
    )
    for column, value in wanted:
        if value is not None:
            statement = statement.where(column == value)
    return statement if query.before is None else statement.where(EventState.start_time < query.before)
