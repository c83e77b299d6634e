"""`search`: how long "A near B within 5 s, last 30 days" takes among millions of events in SQLite.

Events are generated at the pace of ten million a year by forty cameras: few labels, some rare, one that is
seen by a camera of its own and so near nothing; one in two hundred lasts long. `--size` says how many: a
million hold all that a search of the last thirty days looks at, the rest makes indices deeper.
Each search is the first page of fifty moments, among them such that find nothing and must look at all.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from statistics import median, quantiles

from bench.result import Metric, Result
from cloud.search.find import find
from cloud.search.judge import span_of
from cloud.search.parse import parse_query
from cloud.store.database import Database, open_database
from edge_agent.clock import SystemClock

EVENTS, QUICK_EVENTS = 10_000_000, 100_000
YEAR_EVENTS = 10_000_000
_YEAR_S = 365 * 86_400.0
_NOW_S = 1_800_000_000.0
_CAMERAS = 40
_LABELS = {"person": 60, "car": 30, "dog": 8, "cat": 1.5, "bird": 0.4, "fox": 0.1}
_ROUNDS = 3
_GOAL_MS = 200.0
_COLUMNS = (
    "device, event_id, camera, label, detector_id, detector_version, answered_by, start_time, frame_time,"
    " body, received, has_thumbnail"
)


def run(*, quick: bool = False, size: int | None = None) -> Result:
    """Measure; `quick` among few events, `size` among so many."""
    count = size or (QUICK_EVENTS if quick else EVENTS)
    clock, load = SystemClock(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "elfowl.sqlite"
        open_database(path).close()
        begin_s = clock.monotonic_s()
        _fill(path, count)
        filled_s = clock.monotonic_s() - begin_s
        database = open_database(path)
        searches = {text: _times_ms(database, text) for text in _texts()}
        database.close()
        size_bytes = path.stat().st_size
    every = [ms for times, _, _ in searches.values() for ms in times]
    slowest = max(searches, key=lambda text: max(searches[text][0]))
    metrics: dict[str, Metric] = {
        "events": count,
        "database_bytes": size_bytes,
        "fill_s": filled_s,
        "searches": len(every),
        "median_ms": median(every),
        "p99_ms": _p99(every),
        "max_ms": max(every),
        "slowest": slowest,
        "of": {
            text: {"max_ms": max(times), "moments": moments, "whole": "yes" if whole else "no"}
            for text, (times, moments, whole) in searches.items()
        },
    }
    recent = min(count, round(YEAR_EVENTS * 30 / 365))
    notes = (
        f"{_CAMERAS} cameras, {YEAR_EVENTS} events a year; the last 30 days hold {recent}",
        "whole: everything was looked at, or fifty were found; a page that looked at very much ends before",
        f"each search {_ROUNDS} times, in one process; the database lies in the page cache as far as it fits",
        f"load of the machine when it began: {load:.1f}",
    )
    return Result("search", "the goal: p99 of 200 ms", metrics, {"p99": _p99(every) / _GOAL_MS}, notes)


def _p99(times_ms: list[float]) -> float:
    return quantiles(times_ms, n=100)[98]


def _texts() -> list[str]:
    pairs = permutations(_LABELS, 2)
    near = [f"{a} near {b} within 5s since 30d" for a, b in pairs]
    return [
        *near,
        "person near dog in camera cam7 within 5s since 30d",
        "person near car within 1% since 30d",
    ]


def _times_ms(database: Database, text: str) -> tuple[list[float], int, bool]:
    """Return how long a search took each time, how many moments its page held, and if it looked at enough."""
    clock, query, times = SystemClock(), parse_query(text), list[float]()
    moments, whole = 0, True
    for _ in range(_ROUNDS):
        begin_s = clock.monotonic_s()
        with database.read() as session:
            page = find(session, query, span_of(query, now_s=_NOW_S), limit=50)
        times.append((clock.monotonic_s() - begin_s) * 1000)
        moments, whole = len(page.moments), page.after is None or len(page.moments) == 50
    return times, moments, whole


def _fill(path: Path, count: int) -> None:
    """Store generated events; indices are made at the end, which takes less time."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    made = (
        "SELECT name, sql FROM sqlite_master WHERE type='index' AND tbl_name='event_states' AND sql NOT NULL"
    )
    indices = connection.execute(made).fetchall()
    for name, _ in indices:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("BEGIN")
    marks = ", ".join("?" * len(_COLUMNS.split(",")))
    connection.executemany(f"INSERT INTO event_states ({_COLUMNS}) VALUES ({marks})", _rows(count))  # noqa: S608
    connection.execute("COMMIT")
    for _, sql in indices:
        connection.execute(sql)
    connection.close()


def _rows(count: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(1)  # noqa: S311 - made-up events
    labels = chance.choices(list(_LABELS), list(_LABELS.values()), k=1 << 16)
    step_s = _YEAR_S / YEAR_EVENTS
    for number in range(count):
        label = labels[chance.getrandbits(16)]
        start_s = _NOW_S - (count - number) * step_s
        length_s = chance.uniform(600, 18_000) if chance.random() < 0.005 else chance.expovariate(1 / 8)
        camera = "den" if label == "fox" else f"cam{chance.randrange(_CAMERAS)}"
        event_id = f"{number:012x}-{chance.getrandbits(24):06x}"
        body = _document(event_id, camera, label, start_s, start_s + length_s, chance)
        state = ("hub", event_id, camera, label, "det_1", 1, "local", start_s, start_s + length_s, body)
        yield (*state, start_s + length_s, 0)


def _document(
    event_id: str, camera: str, label: str, start_s: float, until_s: float, chance: random.Random
) -> str:
    left, top, score = chance.random() * 0.8, chance.random() * 0.7, 0.5 + chance.random() / 2
    document = {
        "schema": 1, "event_type": "end", "id": event_id, "device": "hub", "camera": camera, "label": label,
        "score": score, "top_score": score, "box": (left, top, left + 0.1, top + 0.3),
        "frame_size": {"width_px": 640, "height_px": 360}, "zones": {"entered": ["yard"], "current": []},
        "start_time": start_s, "end_time": until_s, "frame_time": until_s,
        "track": {"frames": 20, "stationary": False, "path_length_norm": 0.4},
        "detector": {"id": "det_1", "name": "things", "version": 1, "precision": "int8"},
        "answered_by": "local", "snapshot": {"available": True, "blurred": True},
        "attributes": {}, "clock": {"boot_id": "boot", "monotonic_s": start_s},
    }  # fmt: skip
    return json.dumps(document)
