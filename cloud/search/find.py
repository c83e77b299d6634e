"""Finds the moments of a search among stored events: newest first, a page at a time.

Time is looked at in slices, newest first, each with so many events of the rarer thing. What could be
partners in time comes from indices alone; only of those the documents are read and judged. An event that
began long before a slice reaches into it only if it lasted; those that last have indices of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Subquery, and_, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from cloud.errors import InputError
from cloud.search.judge import Moment, Seen, Span, any_camera, moment_of, seen_of
from cloud.search.query import Query, Thing
from cloud.store import events
from cloud.store.tables import LONG_S, EventState

_RARE = 3000
_ALL = 2**31
_EARLIEST_S = -1e12

Key = tuple[str, str]
"""Device and event id."""


@dataclass(frozen=True)
class Effort:
    """How many events of the rarer thing the first slice and the largest hold, and a whole page looks at."""

    first_slice: int = 100
    largest_slice: int = 3200
    page: int = 20_000


@dataclass(frozen=True)
class Page:
    """Moments, newest first; `after` is where to go on, none when all were seen.

    A page is shorter than asked for when too many events were looked at; then `after` goes on from there.
    """

    moments: tuple[Moment, ...]
    after: str | None


_EFFORT = Effort()


@dataclass(frozen=True)
class _Slice:
    begin_s: float
    end_s: float
    looked_at: int


def find(
    session: Session,
    query: Query,
    span: Span,
    *,
    limit: int = 50,
    after: str | None = None,
    effort: Effort = _EFFORT,
) -> Page:
    """Return a page of moments.

    Raises:
        InputError: `after` came from no page.
    """
    before_s, skip = _read_cursor(after)
    found: list[Moment] = []
    looked_at = 0
    end_s = min(span.until_s, math.inf if before_s is None else math.nextafter(before_s, math.inf))
    driver = _rarer(session, query, Span(span.since_s, end_s))
    for part in _slices(session, driver, Span(span.since_s, end_s), effort):
        found += _moments_in(session, query, span, part, driver)
        looked_at += part.looked_at
        if len(found) > limit + skip:
            return _page(found, limit, skip)
        if looked_at >= effort.page and part.begin_s > span.since_s:
            short = tuple(found[skip:])
            return Page(short, _cursor(math.nextafter(part.begin_s, -math.inf), 0))
    return _page(found, limit, skip)


def _page(found: Sequence[Moment], limit: int, skip: int) -> Page:
    moments = tuple(found[skip : skip + limit])
    if len(found) <= skip + limit:
        return Page(moments, None)
    last_s = moments[-1].at_s
    same = sum(moment.at_s == last_s for moment in found[: skip + limit])
    return Page(moments, _cursor(last_s, same))


def _cursor(at_s: float, skip: int) -> str:
    return f"{at_s!r}_{skip}"


def _read_cursor(after: str | None) -> tuple[float | None, int]:
    if after is None:
        return None, 0
    at, _, skip = after.partition("_")
    try:
        before_s, count = float(at), int(skip)
    except ValueError:
        before_s, count = math.nan, 0
    if not math.isfinite(before_s) or count < 0:
        message = f"after={after!r} names no page; take what the last answer said"
        raise InputError(message)
    return before_s, count


def _slices(session: Session, driver: Thing, span: Span, effort: Effort) -> Iterator[_Slice]:
    """Cut time so that each slice holds about so many events of a thing, newest first."""
    count, end_s = effort.first_slice, span.until_s
    while end_s > span.since_s:
        starts = select(EventState.start_time).where(*_of(driver), _before(EventState, end_s))
        starts = starts.order_by(EventState.start_time.desc()).limit(1).offset(count)
        begin_s = max(span.since_s, session.scalar(starts) or -math.inf)
        yield _Slice(begin_s, end_s, count)
        end_s, count = begin_s, min(count * 2, effort.largest_slice)


def _rarer(session: Session, query: Query, span: Span) -> Thing:
    """Return the thing of a query with fewer events in a time; the first when both have many."""
    if query.second is None:
        return query.first

    def count(thing: Thing) -> int:
        some = select(literal(1)).where(
            *_of(thing), _before(EventState, span.until_s), EventState.start_time >= _finite(span.since_s)
        )
        return session.scalar(select(func.count()).select_from(some.limit(_RARE).subquery())) or 0

    return min(query.first, query.second, key=count)


def _moments_in(session: Session, query: Query, span: Span, part: _Slice, driver: Thing) -> list[Moment]:
    if query.second is None:
        pairs: list[tuple[Key, Key | None]] = [(key, None) for key in _alone(session, query.first, part)]
    elif driver is query.first:
        pairs = [*_partners(session, query, query.first, query.second, part, is_first=True)]
    else:
        reverse = _partners(session, query, query.second, query.first, part, is_first=False)
        pairs = [(first, second) for second, first in reverse]
    seen = _read(session, (key for pair in pairs for key in pair if key is not None))
    moments = (moment_of(query, span, seen[a], None if b is None else seen[b]) for a, b in pairs)
    return sorted((moment for moment in moments if moment), key=lambda moment: moment.key, reverse=True)


def _alone(session: Session, thing: Thing, part: _Slice) -> list[Key]:
    keys = select(EventState.device, EventState.event_id).where(
        *_of(thing), _before(EventState, part.end_s), EventState.start_time >= _finite(part.begin_s)
    )
    return [(device, event_id) for device, event_id in session.execute(keys)]


def _partners(
    session: Session, query: Query, driver: Thing, other: Thing, part: _Slice, *, is_first: bool
) -> list[tuple[Key, Key]]:
    """Return which events of `driver` and `other` come together in a slice as far as their times tell."""
    partner = aliased(EventState)
    found: set[tuple[Key, Key]] = set()
    for drivers in _drivers(query, driver, part):
        for times in _times(query, drivers, partner, is_first=is_first):
            pairs = (
                select(drivers.c.device, drivers.c.event_id, partner.device, partner.event_id)
                .join_from(drivers, partner, times)
                .where(*_of(other, partner))
            )
            newest = or_(
                partner.start_time >= _finite(part.begin_s), drivers.c.start_time >= _finite(part.begin_s)
            )
            pairs = pairs.where(newest, _unranged(partner) < _end(part.end_s))
            if not any_camera(query):
                pairs = pairs.where(partner.device == drivers.c.device, partner.camera == drivers.c.camera)
            found |= {((a, b), (c, d)) for a, b, c, d in session.execute(pairs)}
    return sorted(found)


def _drivers(query: Query, driver: Thing, part: _Slice) -> list[Subquery]:
    """Return the events of a thing that can be half of a moment in a slice: short ones, and long ones."""
    names = ("device", "event_id", "camera", "start_time", "frame_time")
    columns = [getattr(EventState, name) for name in names]
    rows = select(*columns).where(*_of(driver), _unranged(EventState) < _end(part.end_s))
    earliest_s = _finite(part.begin_s) - query.reach_s
    if query.relation == "then":
        kinds = [rows.where(EventState.start_time.between(earliest_s, _end(part.end_s)))]
    else:
        recent = EventState.start_time.between(earliest_s - LONG_S, _end(part.end_s))
        short = rows.where(recent, ~_is_long(EventState))
        kinds = [short, rows.where(_is_long(EventState), EventState.frame_time >= earliest_s)]
    # A limit, however high, makes SQLite begin with these rows: it knows nothing of what is rare.
    return [kind.limit(_ALL).subquery() for kind in kinds]


def _times(
    query: Query, drivers: Subquery, partner: type[EventState], *, is_first: bool
) -> list[ColumnElement[bool]]:
    """Return when a partner is there at the right time, a condition for each index that can tell."""
    start, until, reach_s = drivers.c.start_time, drivers.c.frame_time, query.reach_s
    if query.relation == "then" and is_first:
        return [and_(partner.start_time > start, partner.start_time <= start + reach_s)]
    if query.relation == "then":
        return [and_(partner.start_time < start, partner.start_time >= start - reach_s)]
    not_gone = partner.frame_time >= start - reach_s
    recent = partner.start_time.between(start - (reach_s + LONG_S), until + reach_s)
    began = _unranged(partner) <= until + reach_s
    return [and_(not_gone, recent, ~_is_long(partner)), and_(not_gone, began, _is_long(partner))]


def _is_long(table: type[EventState]) -> ColumnElement[bool]:
    # Written out, not sent as a parameter: only so databases see that the index of long events fits.
    return table.frame_time - table.start_time > literal(LONG_S, literal_execute=True)


def _of(thing: Thing, table: type[EventState] = EventState) -> list[ColumnElement[bool]]:
    """Return what is true of the rows that can be a thing."""
    named = [table.label == thing.label]
    return named if thing.camera is None else [*named, table.camera == thing.camera]


def _before(table: type[EventState], end_s: float) -> ColumnElement[bool]:
    return table.start_time < _end(end_s)


def _end(end_s: float) -> float:
    return min(end_s, -_EARLIEST_S)


def _unranged(table: type[EventState]) -> ColumnElement[float]:
    """Return the start in a form that no index fits: SQLite would take the wrong one for it."""
    return table.start_time + 0.0


def _finite(begin_s: float) -> float:
    return max(begin_s, _EARLIEST_S)


def _read(session: Session, keys: Iterable[Key]) -> dict[Key, Seen]:
    by_device: dict[str, list[str]] = {}
    for device, event_id in keys:
        by_device.setdefault(device, []).append(event_id)
    return {
        (device, event_id): seen_of(state.body)
        for device, ids in by_device.items()
        for event_id, state in events.states_of(session, device, ids).items()
    }
