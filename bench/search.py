"""`search`: how long "A near B within 5 s, last 30 days" takes among millions of events, in two databases.

Each search is the first page of fifty moments, for every pair of labels: some find fifty at once, some find
nothing and must look at all. The other forms that a search can have are measured apart from them, and count
for no goal. `--size` says among how many events: more make indices deeper, the last thirty days hold what
they hold. PostgreSQL is measured where its programs are installed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from statistics import median, quantiles

from bench.result import Metric, Result
from bench.searching.made_up import CAMERAS, LABELS, NOW_S, YEAR_EVENTS
from bench.searching.stores import (
    bytes_of,
    forget,
    postgres,
    postgres_programs,
    postgres_store,
    sqlite_store,
)
from cloud.search.find import find
from cloud.search.judge import span_of
from cloud.search.parse import parse_query
from cloud.store.database import Database, open_database_url
from edge_agent.clock import SystemClock

EVENTS, QUICK_EVENTS = 10_000_000, 100_000
_ROUNDS = 10
_GOAL_MS = 200.0
_PAGE = 50
_FORMS = (
    "person",
    "fox",
    "person with dog since 30d",
    "cat with bird since 30d",
    "person then car within 30s since 30d",
    "dog then fox within 1m since 30d",
    "person in camera cam3 then car in camera cam7 within 1m since 30d",
    "person in zone gate near dog in zone gate within 5s since 30d",
    "cat in zone nowhere",
    "person in zone nowhere near dog within 5s since 30d",
    "person near dog within 5s between 02:00 and 02:30 since 30d",
    "person score > 0.98 near dog score > 0.98 within 5s since 30d",
    "person near dog within 5s",
    "car near car within 1h since 30d",
)


@dataclass
class _Asked:
    """How long one search took each time, what its page held, and if it looked at all or found fifty."""

    times_ms: list[float] = field(default_factory=list)
    moments: int = 0
    whole: bool = True


def run(*, quick: bool = False, size: int | None = None) -> Result:
    """Measure; `quick` among few events, `size` among so many."""
    count, load = size or (QUICK_EVENTS if quick else EVENTS), os.getloadavg()[0]
    metrics: dict[str, Metric] = {"events": count}
    ratios: dict[str, Metric] = {}
    for name, opened in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        begin_s = SystemClock().monotonic_s()
        with opened(count) as store:
            if store is None:
                continue
            filled_s = SystemClock().monotonic_s() - begin_s
            database, cold = store
            measured = _measured(database)
            metrics[name] = {"filled_s": filled_s, **measured} | (_cold(database) if cold else {})
            ratios[f"{name}_p99"] = float(str(measured["p99_ms"])) / _GOAL_MS
    recent = min(count, round(YEAR_EVENTS * 30 / 365))
    notes = (
        f"{CAMERAS} cameras, {YEAR_EVENTS} events a year; the last 30 days hold {recent}",
        f"a search is the newest {_PAGE} moments; not whole: it ended before, having looked at much",
        f"each of {len(_texts())} searches {_ROUNDS} times in turns, in one process, the file in memory",
        "cold: each once, the system's memory of the file dropped before, the connection new",
        f"load of the machine when it began: {load:.1f}, when it ended: {os.getloadavg()[0]:.1f}",
    )
    return Result("search", "the goal: p99 of 200 ms", metrics, ratios, notes)


@contextmanager
def _sqlite(count: int) -> Iterator[tuple[Database, bool] | None]:
    with tempfile.TemporaryDirectory() as folder, sqlite_store(Path(folder), count) as database:
        yield database, True


@contextmanager
def _postgresql(count: int) -> Iterator[tuple[Database, bool] | None]:
    programs = postgres_programs()
    if programs is None:
        yield None
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(postgres(programs, folder))
        yield stack.enter_context(postgres_store(url, count)), False


def _measured(database: Database) -> dict[str, Metric]:
    return {
        "database_bytes": bytes_of(database),
        **_asked(database, _texts(), _ROUNDS),
        "other_forms": _asked(database, _FORMS, _ROUNDS),
    }


def _asked(database: Database, texts: Sequence[str], rounds: int) -> dict[str, Metric]:
    asked = {text: _Asked() for text in texts}
    for _ in range(rounds):
        for text, so_far in asked.items():
            _ask(database, text, so_far)
    every = [ms for one in asked.values() for ms in one.times_ms]
    slowest = max(asked, key=lambda text: median(asked[text].times_ms))
    return {
        "searches": len(every),
        "median_ms": median(every),
        "p99_ms": _p99(every),
        "max_ms": max(every),
        "slowest": slowest,
        "not_whole": sum(not one.whole for one in asked.values()),
        "of": {
            text: {
                "median_ms": median(one.times_ms),
                "max_ms": max(one.times_ms),
                "moments": one.moments,
                "whole": "yes" if one.whole else "no",
            }
            for text, one in asked.items()
        },
    }


def _cold(database: Database) -> dict[str, Metric]:
    path = Path(database.url.removeprefix("sqlite:///"))
    asked = _Asked()
    for text in _texts():
        forget(path)
        fresh = open_database_url(database.url)
        _ask(fresh, text, asked)
        fresh.close()
    return {"cold_median_ms": median(asked.times_ms), "cold_max_ms": max(asked.times_ms)}


def _p99(times_ms: list[float]) -> float:
    return quantiles(times_ms, n=100)[98]


def _texts() -> list[str]:
    pairs = permutations(LABELS, 2)
    near = [f"{a} near {b} within 5s since 30d" for a, b in pairs]
    return [
        *near,
        "person near dog in camera cam7 within 5s since 30d",
        "person near car within 1% since 30d",
    ]


def _ask(database: Database, text: str, asked: _Asked) -> None:
    clock, query = SystemClock(), parse_query(text)
    begin_s = clock.monotonic_s()
    with database.read() as session:
        page = find(session, query, span_of(query, now_s=NOW_S), limit=_PAGE)
    asked.times_ms.append((clock.monotonic_s() - begin_s) * 1000)
    asked.moments, asked.whole = len(page.moments), page.after is None or len(page.moments) == _PAGE
