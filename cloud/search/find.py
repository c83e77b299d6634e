"""Finds the moments of a search among stored events: newest first, a page at a time.

Time is looked at in slices, newest first, each with so many events of the rarer thing. What could be moments
is told by indices alone (`candidates`); of that, documents are read and judged until the page is full.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.errors import InputError
from cloud.search import statements
from cloud.search.candidates import Candidates, Marks
from cloud.search.judge import Moment, Seen, Span, moment_of, seen_of
from cloud.search.query import Query

_CHUNK = 64
_MARGIN = 1.3
"""To look at a few events too many costs less than to come once more."""

_COSTS = 3
"""To read and judge a candidate takes so many times as long as to sort out an event by indices."""

Key = tuple[str, str]
"""Device and event id."""


@dataclass(frozen=True)
class Effort:
    """How many events of the rarer thing the first slice and the largest hold, and a whole page looks at.

    Candidates count too, each for several; a slice is at most so many times as large as the one before. Which
    of two things is the rarer one is told by so many events of each, `rare`.
    """

    first_slice: int = 100
    largest_slice: int = 1600
    page: int = 8_000
    grows: int = 4
    rare: int = 3000

    def next_slice(self, last: int, events: int, found: int, wanted: int) -> int:
        """Return how many events the next slice shall hold: about what it takes to find the rest.

        Args:
            last: How many the one before held; 0: there was none.
            events: How many all so far held.
            found: Moments in these.
            wanted: Moments that fill the page.
        """
        if last == 0:
            return self.first_slice
        most = min(last * self.grows, self.largest_slice)
        if found == 0:
            return most
        likely = math.ceil(_MARGIN * (wanted - found) * events / found)
        return max(min(self.first_slice, most), min(likely, most))


@dataclass(frozen=True)
class Page:
    """Moments, newest first; `after` is where to go on, none when all were seen.

    A page is shorter than asked for when too many events were looked at; then `after` goes on from there.
    """

    moments: tuple[Moment, ...]
    after: str | None


_EFFORT = Effort()


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
    wanted = limit + skip + 1
    end_s = min(span.until_s, math.inf if before_s is None else math.nextafter(before_s, math.inf))
    asked = Span(span.since_s, end_s, span.zone)
    candidates = Candidates(session, query, asked, rare=effort.rare)
    count = events = judged = 0
    while end_s > span.since_s:
        count = effort.next_slice(count, events, len(found), wanted)
        part = candidates.slice_before(end_s, count)
        left = candidates.of(part)
        found += _judged(session, query, asked, left, wanted - len(found))
        if len(found) >= wanted:
            break
        end_s, events, judged = part.begin_s, events + count, judged + len(left)
        if events + _COSTS * judged >= effort.page and end_s > span.since_s:
            short = tuple(found[skip:])
            return Page(short, _cursor(math.nextafter(end_s, -math.inf), 0))
    return _page(found, limit, skip)


def _judged(
    session: Session, query: Query, span: Span, left: Sequence[Marks], enough: int
) -> Iterator[Moment]:
    """Read and judge what is left, a chunk at a time, until there are so many moments."""
    for begin in range(0, len(left), _CHUNK):
        chunk = left[begin : begin + _CHUNK]
        seen = _read(session, {(mark.device, mark.event_id) for marks in chunk for mark in marks})
        for marks in chunk:
            moment = moment_of(query, span, *(seen[mark.device, mark.event_id] for mark in marks))
            if moment is not None:
                enough -= 1
                yield moment
        if enough <= 0:
            return


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


def _read(session: Session, keys: Iterable[Key]) -> dict[Key, Seen]:
    by_device: dict[str, list[str]] = {}
    for device, event_id in keys:
        by_device.setdefault(device, []).append(event_id)
    sight, whose = statements.sight_of(session)
    return {
        (device, event_id): seen_of(body)
        for device, ids in by_device.items()
        for event_id, body in session.execute(
            statements.documents(sight), {"device": device, "ids": ids, **whose}
        )
    }
