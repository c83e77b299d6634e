"""Counts events by hour, day, camera or label."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import chain
from typing import Literal

from sqlalchemy import ColumnElement, Integer, cast, func, select
from sqlalchemy.orm import Session

from cloud.search.aged import Aged
from cloud.search.chosen import Chosen, conditions
from cloud.store.tables import EventState

By = Literal["hour", "day", "device", "camera", "label"]

_SLOT_S = 900
"""Every zone's hours and days begin at a quarter of an hour of UTC."""


_OLD_SLOT = f"CAST(floor(start_time / {_SLOT_S}) AS BIGINT)"


@dataclass(frozen=True)
class Counting:
    """Which events to count, and by what; none means any. Times are starts, UTC seconds since 1970."""

    by: tuple[By, ...]
    since_s: float | None = None
    until_s: float | None = None
    label: str | None = None
    camera: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class Count:
    """How many events there were: `key` holds a text for each of what they are counted by."""

    key: tuple[str, ...]
    events: int


def count_events(
    session: Session, counting: Counting, zone: tzinfo = UTC, aged: Aged | None = None
) -> list[Count]:
    """Return the counts in the order of their keys; hours and days are those of `zone`, ISO 8601."""
    slot = _slot(session)
    with_time = {"hour", "day"} & set(counting.by)
    names = [name for name in counting.by if name not in {"hour", "day"}]
    columns: list[ColumnElement[object]] = [getattr(EventState, name) for name in names]
    grouped = [slot, *columns] if with_time else columns
    rows = select(*grouped, func.count()).where(*_wanted(counting)).group_by(*grouped)
    counts: Counter[tuple[str, ...]] = Counter()
    columns_of_old = ", ".join([*([_OLD_SLOT] if with_time else []), *names, "count(*)"])
    old = () if aged is None else aged.rows(columns_of_old, end="GROUP BY ALL")
    for row in chain(session.execute(rows), old):
        values = dict(zip(names, row[len(row) - 1 - len(names) : -1], strict=True))
        if with_time:
            begin = datetime.fromtimestamp(row[0] * _SLOT_S, zone)
            values |= {"hour": begin.strftime("%Y-%m-%dT%H:00%z"), "day": begin.strftime("%Y-%m-%d")}
        counts[tuple(values[name] for name in counting.by)] += row[-1]
    return [Count(key, events) for key, events in sorted(counts.items())]


def as_csv(by: Sequence[By], counts: Sequence[Count]) -> str:
    """Return counts as a table with a head line."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow([*by, "events"])
    writer.writerows([*map(harmless, count.key), count.events] for count in counts)
    return stream.getvalue()


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: labels come from outside."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def chosen_of(counting: Counting) -> Chosen:
    """Return which events are counted."""
    return Chosen(counting.since_s, counting.until_s, counting.label, counting.camera, counting.device)


def _slot(session: Session) -> ColumnElement[int]:
    slots = EventState.start_time / float(_SLOT_S)
    # A cast cuts in SQLite and rounds in PostgreSQL, which has a floor.
    return cast(func.floor(slots) if session.get_bind().dialect.name == "postgresql" else slots, Integer)


def _wanted(counting: Counting) -> list[ColumnElement[bool]]:
    return conditions(chosen_of(counting))
