"""Which events could make a moment, as far as indices tell: what is left is read and judged.

Of two that are there together, the later one comes while the earlier one is there. Both are looked for from
the rarer thing: what was there when it came, and what came while it was there. The first needs to know how
long an event lasts at most: short ones began shortly before, long ones have indices by how long they last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from cloud.search import statements
from cloud.search.judge import Span, any_camera, in_time
from cloud.search.query import Query, Thing
from cloud.search.statements import Kind, Shape
from cloud.store.sketch import LASTS_S, LONG_CLASSES, least_gap, most_score

_EARLIEST_S = -1e12


@dataclass(frozen=True, order=True)
class Mark:
    """An event as indices know it; ordered as events are."""

    start_s: float
    device: str
    event_id: str
    sketch: int | None


Marks = tuple[Mark, ...]
"""Of the first thing and, if there is one, of the second."""


@dataclass(frozen=True)
class Slice:
    """A part of time, and how many events of the rarer thing it holds."""

    begin_s: float
    end_s: float
    events: int


class Candidates:
    """Looks for what could be moments of one search, in a time, slice by slice."""

    def __init__(self, session: Session, query: Query, span: Span, *, rare: int) -> None:
        self._session = session
        self._query = query
        self._span = span
        self._sight, self._whose = statements.sight_of(session)
        first, second = query.first, query.second
        self._swapped = second is not None and self._is_rarer(second, first, rare)
        self._driver = second if self._swapped and second is not None else first
        self._other = first if self._swapped else second
        self._lasting = {thing.label: self._classes(thing) for thing in (first, second) if thing is not None}

    def slice_before(self, end_s: float, count: int) -> Slice:
        """Return the part of time before `end_s` that holds about so many events of the rarer thing."""
        statement = statements.starts(self._sight, camera=self._driver.camera is not None)
        named = {**self._named(self._driver), "until": _finite(end_s), "skip": count}
        begin_s = self._session.scalar(statement, named)
        return Slice(max(self._span.since_s, -math.inf if begin_s is None else begin_s), end_s, count)

    def of(self, part: Slice) -> list[Marks]:
        """Return what could be moments of a slice, newest first, in the order of moments."""
        found = set(self._alone(part) if self._other is None else self._pairs(self._other, part))
        # What lies outside of the slice is found in its own one too.
        here = Span(max(self._span.since_s, part.begin_s), part.end_s, self._span.zone)
        left = [marks for marks in found if _can_be(self._query, here, marks)]
        return sorted(left, key=lambda marks: (at_s(marks), marks), reverse=True)

    def _is_rarer(self, thing: Thing, other: Thing, enough: int) -> bool:
        """Tell which has fewer events; of two that have enough, which needs longer for that many."""
        counts = self._count(thing, enough), self._count(other, enough)
        if min(counts) < enough:
            return counts[0] < counts[1]
        return self._last_of(thing, enough) < self._last_of(other, enough)

    def _count(self, thing: Thing, most: int) -> int:
        statement = statements.number(self._sight, camera=thing.camera is not None, most=most)
        began = {"since": _finite(self._span.since_s), "until": _finite(self._span.until_s)}
        return self._session.scalar(statement, {**self._named(thing), **began}) or 0

    def _last_of(self, thing: Thing, events: int) -> float:
        """Return when the earliest of so many newest events of a thing began; there are as many."""
        statement = statements.starts(self._sight, camera=thing.camera is not None)
        newest = {"until": _finite(self._span.until_s), "skip": events - 1}
        return self._session.scalar(statement, {**self._named(thing), **newest}) or _EARLIEST_S

    def _classes(self, thing: Thing) -> list[int]:
        """Return the classes of long events that there are of a thing."""
        label = {"label": thing.label, **self._whose}
        there = self._session.execute(statements.classes(self._sight), label).one()
        return [number for number, any_is in zip(LONG_CLASSES, there, strict=True) if any_is]

    def _alone(self, part: Slice) -> Iterator[Marks]:
        values = {**self._named(self._driver), "since": _finite(part.begin_s), "until": _finite(part.end_s)}
        statement = statements.alone(self._sight, camera=self._driver.camera is not None)
        for at, device, event_id, sketch in self._session.execute(statement, values):
            yield (Mark(at, device, event_id, sketch),)

    def _pairs(self, other: Thing, part: Slice) -> Iterator[Marks]:
        driver = self._driver
        is_lateral = self._session.get_bind().dialect.name == "postgresql"
        cameras = (driver.camera is not None, other.camera is not None, not any_camera(self._query))
        shape = Shape(*cameras, lateral=is_lateral, sight=self._sight)
        named = {
            **self._named(driver),
            "other": other.label,
            "other_camera": other.camera,
            "reach": self._query.reach_s,
        }
        for kind, values in self._looks(other, _finite(part.begin_s), _finite(part.end_s)):
            for row in self._session.execute(statements.pairs(kind, shape), {**named, **values}):
                pair = (Mark(*row[:4]), Mark(*row[4:]))
                yield pair[::-1] if self._swapped else pair

    def _looks(self, other: Thing, begin_s: float, end_s: float) -> Iterator[tuple[Kind, dict[str, Any]]]:
        """Name the kinds of pairs to look for in a slice, and the times of each."""
        reach_s = self._query.reach_s
        new = {"since": begin_s, "until": end_s}
        if self._query.relation == "then":
            yield ("before", new) if self._swapped else ("after", {**new, "since": begin_s - reach_s})
            return
        yield "later", new
        yield "there", {**new, "length": LASTS_S[0]}
        for number in self._lasting[other.label]:
            yield "there_long", {**new, "lasts": number, "length": min(LASTS_S[number], -_EARLIEST_S)}
        old = {"until": begin_s, "begin": begin_s, "end": end_s, "gone": begin_s - reach_s}
        yield "came", {**old, "since": begin_s - reach_s - LASTS_S[0]}
        for number in self._lasting[self._driver.label]:
            since_s = _finite(begin_s - reach_s - LASTS_S[number])
            yield "came_long", {**old, "lasts": number, "since": since_s}

    def _named(self, thing: Thing) -> dict[str, Any]:
        return {"label": thing.label, "camera": thing.camera, **self._whose}


def at_s(marks: Marks) -> float:
    """Return when these events make a moment, if they do."""
    return max(mark.start_s for mark in marks)


def _can_be(query: Query, span: Span, marks: Marks) -> bool:
    if not in_time(query, span, at_s(marks)):
        return False
    sketches = [mark.sketch for mark in marks]
    for thing, sketch in zip((query.first, query.second), sketches, strict=False):
        above = None if thing is None else thing.above_score
        if above is not None and sketch is not None and most_score(sketch) <= above:
            return False
    if query.reach_share is None or None in sketches:
        return True
    first, second = (sketch or 0 for sketch in sketches)
    return least_gap(first, second) <= query.reach_share


def _finite(at: float) -> float:
    return min(max(at, _EARLIEST_S), -_EARLIEST_S)
