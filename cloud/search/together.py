"""Which things were in sight of one camera at once, and how often: what `A with B` finds, counted."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import ColumnElement, literal, select
from sqlalchemy.orm import Session

from cloud.search.aged import Aged
from cloud.search.chosen import Chosen, place_of
from cloud.store.tables import LONG_S, EventState

MOST_EVENTS = 200_000


@dataclass(frozen=True)
class Stay:
    """One event as far as it matters who was there with whom; times in UTC seconds since 1970."""

    device: str
    camera: str
    label: str
    start_s: float
    until_s: float


@dataclass(frozen=True)
class Pairs:
    """How often two labels were in sight together, each pair in the order of the alphabet.

    Not `complete` when there were more than `MOST_EVENTS`: then only the newest were looked at.
    """

    moments: dict[tuple[str, str], int]
    events: int
    complete: bool


def together(
    session: Session, chosen: Chosen, most_events: int = MOST_EVENTS, aged: Aged | None = None
) -> Pairs:
    """Count the pairs of events that were in sight of one camera at once, at a time that is chosen."""
    stays = {stay for rows in _conditions(chosen) for stay in _stays(session, chosen, rows, most_events + 1)}
    stays |= set() if aged is None else set(_aged_stays(aged, most_events + 1))
    newest = sorted(stays, key=lambda one: one[1].start_s, reverse=True)[:most_events]
    moments = count_pairs((stay for _, stay in newest), since_s=chosen.since_s)
    if chosen.label is not None:
        moments = {pair: count for pair, count in moments.items() if chosen.label in pair}
    return Pairs(moments, len(newest), len(stays) <= most_events)


def count_pairs(stays: Iterable[Stay], since_s: float | None = None) -> dict[tuple[str, str], int]:
    """Count pairs that were in sight of one camera at once; the later one came at or after `since_s`."""
    counts: Counter[tuple[str, str]] = Counter()
    ordered = sorted(stays, key=lambda one: (one.device, one.camera, one.start_s))
    for _, of_camera in groupby(ordered, key=lambda one: (one.device, one.camera)):
        ends: list[tuple[float, str]] = []
        here: Counter[str] = Counter()
        for stay in of_camera:
            while ends and ends[0][0] < stay.start_s:
                here[heapq.heappop(ends)[1]] -= 1
            if since_s is None or stay.start_s >= since_s:
                for label, count in here.items():
                    counts[min(label, stay.label), max(label, stay.label)] += count
            heapq.heappush(ends, (stay.until_s, stay.label))
            here[stay.label] += 1
    return {pair: count for pair, count in counts.items() if count > 0}


def _aged_stays(aged: Aged, most: int) -> Iterator[tuple[str, Stay]]:
    """Yield what files hold; what lasts long began long before, so all that began before the end is read."""
    columns = "event_id, device, camera, label, start_time, last_seen"
    end = f"ORDER BY start_time DESC LIMIT {most}"
    for event_id, *stay in aged.rows(columns, end=end, since_s=-math.inf, any_label=True):
        if aged.chosen.since_s is None or stay[-1] >= aged.chosen.since_s:
            yield event_id, Stay(*stay)


def _conditions(chosen: Chosen) -> Iterator[ColumnElement[bool]]:
    """Yield which events can be there in the chosen time, a condition for each index that can tell."""
    start = EventState.start_time
    before = start < (1e12 if chosen.until_s is None else chosen.until_s)
    if chosen.since_s is None:
        yield before
        return
    yield before & (start >= chosen.since_s - LONG_S)
    # Written out, not sent as a parameter: only so databases see that the index of long events fits.
    is_long = EventState.frame_time - start > literal(LONG_S, literal_execute=True)
    yield before & is_long & (EventState.frame_time >= chosen.since_s)


def _stays(
    session: Session, chosen: Chosen, condition: ColumnElement[bool], most: int
) -> Iterator[tuple[str, Stay]]:
    columns = (
        EventState.event_id, EventState.device, EventState.camera, EventState.label,
        EventState.start_time, EventState.frame_time,
    )  # fmt: skip
    rows = select(*columns).where(condition, *place_of(chosen))
    for row in session.execute(rows.order_by(EventState.start_time.desc()).limit(most)):
        yield row.event_id, Stay(row.device, row.camera, row.label, row.start_time, row.frame_time)
