"""Tells of one event whether it makes a moment of a search: what alerts by a saved search ask."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, literal, select
from sqlalchemy.orm import Session

from cloud.search.judge import Moment, Seen, Span, any_camera, moment_of, seen_of
from cloud.search.query import Query, Thing
from cloud.store.tables import LONG_S, EventState

MOST_PARTNERS = 500
"""So many others are looked at, the newest: alerts are asked in the transaction that stores an event."""


def moment_with(session: Session, query: Query, span: Span, event: Seen) -> Moment | None:
    """Return the newest moment of a search that an event is part of, none when there is none.

    Args:
        session: Where the other events lie.
        query: The search.
        span: Which moments count.
        event: The latest state of an event.
    """
    if query.second is None:
        return moment_of(query, span, event)
    found: list[Moment] = []
    for other in _partners(session, query, event):
        for first, second in ((event, other), (other, event)):
            moment = moment_of(query, span, first, second)
            if moment is not None:
                found.append(moment)
    return max(found, key=lambda moment: moment.key, default=None)


def _partners(session: Session, query: Query, event: Seen) -> Iterator[Seen]:
    """Yield the events that can be the other half as far as label, camera and times tell."""
    for mine, other in ((query.first, query.second), (query.second, query.first)):
        if mine is not None and other is not None and mine.label == event.label:
            for condition in _times(query, event):
                rows = select(EventState.body).where(condition, *_of(query, other, event))
                newest = rows.order_by(EventState.start_time.desc()).limit(MOST_PARTNERS)
                yield from map(seen_of, session.scalars(newest))


def _of(query: Query, other: Thing, event: Seen) -> list[ColumnElement[bool]]:
    wanted = [EventState.label == other.label]
    if other.camera is not None:
        wanted.append(EventState.camera == other.camera)
    if not any_camera(query):
        wanted += [EventState.device == event.device, EventState.camera == event.camera]
    return wanted


def _times(query: Query, event: Seen) -> list[ColumnElement[bool]]:
    """Return when a partner is there at the right time: short ones, and long ones by their own index."""
    reach_s = query.reach_s
    start = EventState.start_time
    if query.relation == "then":
        return [start.between(event.start_s - reach_s, event.start_s + reach_s)]
    earliest_s, latest_s = event.start_s - reach_s, event.until_s + reach_s
    # Written out, not sent as a parameter: only so databases see that the index of long events fits.
    is_long = EventState.lasts > literal(0, literal_execute=True)
    not_gone = EventState.frame_time >= earliest_s
    return [
        start.between(earliest_s - LONG_S, latest_s) & not_gone & ~is_long,
        is_long & not_gone & (start <= latest_s),
    ]
