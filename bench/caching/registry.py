"""The cloud's own tables with a million detectors in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from bench.caching.bodies import name_of
from bench.result import Metric
from cloud.store.database import Database, open_database
from cloud.store.detectors import find_version
from cloud.store.tables import Detector, Version
from edge_agent.clock import Clock

_CHUNK = 20_000
_LOOKS = 500


@contextmanager
def million_rows(path: Path, count: int) -> Iterator[Database]:
    """Give a registry with so many detectors, each with one version."""
    database = open_database(path)
    for start in range(0, count, _CHUNK):
        numbers = range(start, min(count, start + _CHUNK))
        with database.write() as session:
            rows = [
                {
                    "id": name_of(number),
                    "name": f"thing {number}",
                    "labels": ["thing"],
                    "created": float(number),
                }
                for number in numbers
            ]
            session.execute(insert(Detector), rows)
            versions = [
                {"detector_id": name_of(number), "version": 1, "created": float(number), "metrics": {}}
                for number in numbers
            ]
            session.execute(insert(Version), versions)
    yield database
    database.close()


def lookup_ms(database: Database, count: int, clock: Clock) -> dict[str, Metric]:
    """Return how long it takes to find the newest version of a detector by its id."""
    random = np.random.default_rng(1)
    times_ms = []
    for number in random.integers(0, count, _LOOKS):
        begin_s = clock.monotonic_s()
        with database.read() as session:
            find_version(session, name_of(int(number)))
        times_ms.append((clock.monotonic_s() - begin_s) * 1000)
    return {"median_ms": float(np.median(times_ms)), "p99_ms": float(np.quantile(times_ms, 0.99))}
