"""`cache`: a million detectors, asked for as the world asks (Zipf), against loading from the object store.

All of the product's way is measured, from a folder's name to the detector in memory: spec, digest, tiers,
building. Memory holds 1 % of the detectors, the local disk 10 %. The object store is another process on
loopback that makes each detector when it is asked for: 34 GB are not written.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch

from bench.caching.bodies import Bodies, make, name_of
from bench.caching.registry import lookup_ms, million_rows
from bench.creating.lessons import tell
from bench.result import Metric, Result
from cloud.cache.figures import TierFigures
from cloud.cache.plan import CachePlan
from cloud.offload.cached import CachedDetectors
from cloud.processes import start_child, stop_child
from edge_agent.clock import Clock, SystemClock

DETECTORS, ASKS = 1_000_000, 100_000
QUICK_DETECTORS, QUICK_ASKS = 10_000, 3_000
_RAM_SHARE, _DISK_SHARE = 0.01, 0.10
_ZIPF = 0.99
_BUILT_BYTES = 98_000
_BASELINES = 500
_WAITERS, _CROWDS = 64, 20
_START_S = 120.0
_GOALS_MS = {"ram": 1.0, "disk": 10.0, "store": 50.0}


@dataclass
class Asked:
    """How long asks took, by the tier that had the detector; and without any cache."""

    ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    without_ms: list[float] = field(default_factory=list)


def run(*, quick: bool = False, size: int | None = None) -> Result:
    """Measure; `quick` among few detectors, `size` among so many."""
    count, asks = size or (QUICK_DETECTORS if quick else DETECTORS), QUICK_ASKS if quick else ASKS
    load, clock = os.getloadavg()[0], SystemClock()
    torch.set_num_threads(1)
    with TemporaryDirectory(prefix="elfowl-bench-") as temporary, _store(Path(temporary), clock):
        home = Path(temporary)
        bodies = Bodies.read(home / "base")
        detectors = _cache(home, bodies, count)
        without = CachedDetectors(_plan(home, _BUILT_BYTES, 0), torch.device("cpu"))
        tell(f"asking {asks} times for {count} detectors")
        asked = _ask_all(detectors, without, _zipf(count, asks), home, clock)
        before = detectors.figures()
        per_miss = _loads_per_miss(detectors, home, count)
        tell("writing the registry")
        with million_rows(home / "registry.sqlite", count) as database:
            registry_ms = lookup_ms(database, count, clock)
    return _result(asked, before, per_miss, registry_ms, count, load)


def _cache(home: Path, bodies: Bodies, count: int) -> CachedDetectors:
    plan = _plan(
        home, round(_RAM_SHARE * count) * _BUILT_BYTES, round(_DISK_SHARE * count) * len(bodies.weights)
    )
    return CachedDetectors(plan, torch.device("cpu"), disk_folder=home / "disk")


def _plan(home: Path, ram_bytes: int, disk_bytes: int) -> CachePlan:
    return CachePlan(
        home=home / "home",
        object_store="s3://models",
        ram_bytes=ram_bytes,
        disk_bytes=disk_bytes,
        gpu_bytes=0,
    )


def _zipf(count: int, asks: int) -> list[int]:
    """Return the detectors that are asked for, in turn; which ones are popular says nothing of their ids."""
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, count + 1) ** _ZIPF
    ranks = random.choice(count, asks, p=weights / weights.sum())
    return [int(number) for number in random.permutation(count)[ranks]]


def _ask_all(
    detectors: CachedDetectors, without: CachedDetectors, numbers: Sequence[int], home: Path, clock: Clock
) -> Asked:
    """Ask for one after the other, now and then also without a cache; a fifth only fills the tiers first."""
    asked = Asked()
    every = max(1, len(numbers) * 4 // 5 // _BASELINES)
    for place, number in enumerate(numbers):
        folder = _folder(home, number)
        before = _from_below(detectors.figures())
        ms = _timed(detectors, folder, clock)
        if place < len(numbers) // 5:
            continue
        asked.ms[_where(before, _from_below(detectors.figures()))].append(ms)
        if place % every == 0:
            asked.without_ms.append(_timed(without, _folder(home, number), clock))
    return asked


def _timed(detectors: CachedDetectors, folder: Path, clock: Clock) -> float:
    begin_s = clock.monotonic_s()
    with detectors.use(folder):
        return (clock.monotonic_s() - begin_s) * 1000


def _from_below(tiers: Sequence[TierFigures]) -> dict[str, int]:
    return {tier.tier: tier.hits for tier in tiers}


def _where(before: dict[str, int], after: dict[str, int]) -> str:
    """Return the tier that had what was asked for."""
    return next(tier for tier in after if after[tier] > before[tier])


def _loads_per_miss(detectors: CachedDetectors, home: Path, count: int) -> float:
    """Let 64 threads ask at once for detectors that nobody asked for; return loads of each."""
    cold = [number for number in range(count) if not detectors.is_ready(_folder(home, number))][-_CROWDS:]
    before = detectors.figures()[0]
    with ThreadPoolExecutor(_WAITERS) as pool:
        for number in cold:
            list(pool.map(detectors.bring, [_folder(home, number)] * _WAITERS))
    return (detectors.figures()[0].loads - before.loads) / len(cold)


def _folder(home: Path, number: int) -> Path:
    return home / "home" / "detectors" / name_of(number) / "v1"


@contextmanager
def _store(folder: Path, clock: Clock) -> Iterator[None]:
    """Run the object store, and let this process find it."""
    make(folder / "base")
    (folder / "disk").mkdir()
    child = start_child(
        [sys.executable, "-m", "bench.caching.store", str(folder / "base"), str(folder / "port")]
    )
    try:
        until_s = clock.monotonic_s() + _START_S
        while not (folder / "port").exists() and clock.monotonic_s() < until_s:
            clock.sleep(0.1)
        os.environ.update(
            AWS_ENDPOINT=f"http://127.0.0.1:{(folder / 'port').read_text()}",
            AWS_ACCESS_KEY_ID="bench",
            AWS_SECRET_ACCESS_KEY="bench",  # noqa: S106 - nobody looks at it
            AWS_REGION="us-east-1",
        )
        yield
    finally:
        stop_child(child)


def _result(
    asked: Asked,
    tiers: Sequence[TierFigures],
    per_miss: float,
    registry_ms: dict[str, Metric],
    count: int,
    load: float,
) -> Result:
    everything = sum(len(values) for values in asked.ms.values())
    means = sum(sum(values) for values in asked.ms.values()) / everything
    metrics: dict[str, Metric] = {"detectors": count, "asks": everything}
    for tier in _GOALS_MS:
        values = asked.ms.get(tier, [])
        metrics[f"{tier}_ms_p99"] = _p99(values)
        metrics[f"{tier}_ms_median"] = median(values) if values else None
        metrics[f"{tier}_share"] = len(values) / everything
    metrics |= {
        "loads_per_miss": per_miss,
        "without_ms_p99": _p99(asked.without_ms),
        "mean_ms": means,
        "registry": registry_ms,
        "tiers": {tier.tier: dict(tier.model_dump(exclude={"tier"})) for tier in tiers},
    }
    ratios: dict[str, Metric] = {
        "of_loading_each_time": means / (sum(asked.without_ms) / len(asked.without_ms)),
        **{f"{tier}_p99_of_goal": _of_goal(asked.ms.get(tier, []), goal) for tier, goal in _GOALS_MS.items()},
    }
    notes = (
        f"Zipf, exponent {_ZIPF}; memory holds {_RAM_SHARE:.0%} of the detectors, the disk {_DISK_SHARE:.0%}",
        "the object store, a process on loopback, makes each detector when it is asked for and keeps none",
        "specs of detectors that were asked for lately (65,536 at most) are known beside the budgets",
        "the local disk's files are in the system's memory: a cold disk is slower",
        "without a cache: memory for one detector, no disk; the spec is known after the first ask",
        f"{_WAITERS} threads ask at once for each of {_CROWDS} detectors that are not there",
        f"load of the machine when it began: {load:.1f}, when it ended: {os.getloadavg()[0]:.1f}",
    )
    return Result("cache", "load from the object store each time", metrics, ratios, notes)


def _p99(values: Sequence[float]) -> float | None:
    return float(np.quantile(values, 0.99)) if values else None


def _of_goal(values: Sequence[float], goal_ms: float) -> float | None:
    high = _p99(values)
    return None if high is None else high / goal_ms
