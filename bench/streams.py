"""`streams`: how many streams, each with a detector of its own, until answers come late.

Streams are files at 360p and five pictures a second, played at their own speed. A number of streams holds
while 99 of 100 answers come within half a second of their picture and no more than two pictures in a hundred
are left out. The baseline is one process for each stream and detector, which looks at every picture.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.creating.lessons import Lessons, read_lessons, tell
from bench.result import Metric, Result, spread
from bench.sharing.teach import Task, look_at_tasks, spec_of, teach_many
from bench.streaming.films import FPS, MOVING_S, VARIANTS, write_films
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.detector.light import new_light
from cloud.processes import ONE_THREAD
from cloud.subnets.registry import subnet_by_name
from edge_agent.clock import SystemClock

SUBNET = "efficientnet_lite0"
WORKERS = 2
ROUNDS, QUICK_ROUNDS = 3, 1
SECONDS, QUICK_SECONDS = 20.0, 6.0
MOST, QUICK_MOST = 512, 2
QUICK_VARIANTS = 2
LATE_S, MISSING = 0.5, 0.02
_TAUGHT = 4
_SETTLE_S = 5.0


@dataclass(frozen=True)
class Tried:
    """What came of watching so many streams."""

    streams: int
    p99_s: float
    missing: float
    looked: float

    @property
    def holds(self) -> bool:
        """Return whether answers come in time, and pictures are not left out."""
        return self.p99_s <= LATE_S and self.missing <= MISSING


def most_that_hold(attempt: Callable[[int], Tried], most: int) -> tuple[int, list[Tried]]:
    """Return the largest number that holds, by doubling and then halving the gap, and all that was tried."""
    tried: list[Tried] = []
    good, count = 0, 1
    while count <= most:
        tried.append(attempt(count))
        if not tried[-1].holds:
            break
        good, count = count, 2 * count
    bad = min(count, most + 1)
    while bad - good > max(1, good // 16):
        middle = (good + bad) // 2
        tried.append(attempt(middle))
        good, bad = (middle, bad) if tried[-1].holds else (good, middle)
    return good, tried


def run(*, quick: bool = False) -> Result:
    """Search the most streams of each kind in turns; `quick` looks at few for a short time."""
    seconds, most = (QUICK_SECONDS, QUICK_MOST) if quick else (SECONDS, MOST)
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        place = Path(folder)
        tell("teaching, writing films")
        lessons = read_lessons("persons")
        films = write_films(lessons, place / "films", variants=QUICK_VARIANTS if quick else VARIANTS)
        _save(_untaught() if quick else _teach(lessons), place / "detectors", most)
        kinds = {
            "alone": lambda count: _try_alone(place, films["busy"], count, seconds),
            "quiet": lambda count: _try_together(place, films["quiet"], count, seconds),
            "busy": lambda count: _try_together(place, films["busy"], count, seconds),
        }
        found: dict[str, list[int]] = {kind: [] for kind in kinds}
        tries: dict[str, list[Tried]] = {kind: [] for kind in kinds}
        for number in range(QUICK_ROUNDS if quick else ROUNDS):
            for kind, attempt in kinds.items():
                tell(f"round {number + 1}: {kind}")
                good, tried = most_that_hold(attempt, most)
                found[kind].append(good)
                tries[kind] += tried
    return _result(found, tries, load)


def _result(found: dict[str, list[int]], tries: dict[str, list[Tried]], load: float) -> Result:
    def against(kind: str) -> dict[str, Metric]:
        pairs = zip(found[kind], found["alone"], strict=True)
        return spread([ours / max(1, alone) for ours, alone in pairs])

    return Result(
        "streams",
        "one process for each stream and detector, which looks at every picture",
        {
            "streams": median(found["quiet"]),
            "streams_always_moving": median(found["busy"]),
            "baseline_streams": median(found["alone"]),
            "of_each_round": {kind: spread([float(one) for one in some]) for kind, some in found.items()},
            "tried": {kind: [_words(one) for one in some] for kind, some in tries.items()},
        },
        {
            "of_baseline": against("quiet")["median"],
            "of_baseline_of_each_round": against("quiet"),
            "of_baseline_always_moving": against("busy"),
        },
        (
            f"streams: people walk {MOVING_S} s of each minute, in a tenth of the streams at a time",
            "the baseline has no motion gate, so what it watches makes no difference to it",
            f"elfowl: {WORKERS} processes with one thread of networks each; subnet {SUBNET}",
            f"each stream its own light detector; {_TAUGHT} were taught, the others are copies of their own",
            "without the database: storing events is measured by `ingest`",
            f"{os.cpu_count()} cores; load (mean of a minute) {load:.1f} before",
            f"load after {os.getloadavg()[0]:.1f}",
        ),
    )


def _words(one: Tried) -> dict[str, Metric]:
    return {
        "streams": one.streams,
        "p99_ms": round(1e3 * one.p99_s, 1),
        "missing": round(one.missing, 4),
        "looked": round(one.looked, 3),
    }


def _teach(persons: Lessons) -> list[FullDetector]:
    subnet = subnet_by_name(SUBNET)
    tasks = look_at_tasks(persons, read_lessons("biscuit-box"), subnet)
    return teach_many(tasks[:1], subnet, _TAUGHT)


def _untaught() -> list[FullDetector]:
    """Return a detector that sees nothing: enough to try the benchmark itself."""
    subnet = subnet_by_name(SUBNET)
    task = Task("persons", ("person",), (), ())
    return [FullDetector(spec_of(task, subnet, 0), new_light(subnet, 1))]


def _save(taught: Sequence[FullDetector], folder: Path, count: int) -> None:
    for number in range(count):
        one = taught[number % len(taught)]
        ref = one.ref.model_copy(update={"id": _name(number), "version": 1})
        spec = one.spec.model_copy(update={"detector": ref, "architecture": "light_stride8"})
        save_detector(FullDetector(spec, one.taught_head), folder / _name(number) / "v1")


def _name(number: int) -> str:
    return f"d{number:04d}"


def _streams(films: Sequence[Path], count: int) -> list[dict[str, str]]:
    return [
        {"detector": _name(number), "address": str(films[number % len(films)])} for number in range(count)
    ]


def _try_together(place: Path, films: Sequence[Path], count: int, seconds: float) -> Tried:
    streams = _streams(films, count)
    shares = [streams[number::WORKERS] for number in range(min(WORKERS, count))]
    return _watch(place, "elfowl", shares, seconds)


def _try_alone(place: Path, films: Sequence[Path], count: int, seconds: float) -> Tried:
    return _watch(place, "alone", [[one] for one in _streams(films, count)], seconds)


def _watch(place: Path, kind: str, shares: Sequence[list[dict[str, str]]], seconds: float) -> Tried:
    children = [_start(place, kind, share, seconds) for share in shares]
    try:
        for child in children:
            _line(child)
        if kind == "elfowl":
            # The first looks load subnets and detectors; that is not what is asked.
            SystemClock().sleep(_SETTLE_S)
        for child in children:
            if child.stdin is not None:
                child.stdin.write("go\n")
                child.stdin.flush()
        answers = [json.loads(_line(child)) for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    return _tried(sum(map(len, shares)), answers, seconds)


def _tried(streams: int, answers: Sequence[dict[str, Any]], seconds: float) -> Tried:
    delays = [late for answer in answers for late in answer["delays_s"]]
    pictures = sum(answer["pictures"] for answer in answers)
    looked = sum(answer["looked"] for answer in answers)
    p99_s = float(np.percentile(delays, 99)) if delays else float("inf")
    missing = max(0.0, 1.0 - pictures / (streams * FPS * seconds))
    return Tried(streams, p99_s, missing, looked / max(1, pictures))


def _start(place: Path, kind: str, share: list[dict[str, str]], seconds: float) -> subprocess.Popen[str]:
    order = {"kind": kind, "detectors": str(place / "detectors"), "streams": share, "seconds": seconds}
    return subprocess.Popen(
        [sys.executable, "-m", "bench.streaming.child", json.dumps(order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ONE_THREAD},
    )


def _line(child: subprocess.Popen[str]) -> str:
    return child.stdout.readline() if child.stdout is not None else ""
