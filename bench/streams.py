"""`streams`: how many streams, each with a detector of its own, until answers come late.

Streams are files at 360p and five pictures a second, played at their own speed. A number of streams holds
while 99 of 100 answers come within half a second of their picture and no more than two pictures in a hundred
are left out. The baseline is one process for each stream and detector, which looks at every picture. What a
picture costs of the processor's time is measured beside: it counts less how busy the machine is with others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.creating.lessons import Lessons, read_lessons, tell
from bench.result import Metric, Result, spread
from bench.sharing.teach import Task, look_at_persons, spec_of, teach_many
from bench.streaming.child import Stream
from bench.streaming.crowd import Crowd, Tried
from bench.streaming.films import FPS, MOVING_S, VARIANTS, write_films
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.detector.light import new_light
from cloud.subnets.registry import subnet_by_name

SUBNET = "efficientnet_lite0"
WORKERS = 2
SECONDS, QUICK_SECONDS = 2.0 * MOVING_S, 6.0
"""Whole turns of the films: in each of them as many streams move at any time."""

SETTLE_S = 6.0
"""First looks load subnets and detectors, and each stream is looked at while its background is learned."""

STARTS = {"alone": 8, "quiet": 48, "busy": 8}
"""How many are tried first: about what was found before."""

MOST, QUICK_MOST = 256, 2
QUICK_VARIANTS = 2
_TAUGHT = 2
_GOLDEN = 0.618034

Attempt = Callable[[int], Tried]


def most_that_hold(attempt: Attempt, start: int, most: int) -> tuple[int, list[Tried]]:
    """Return the largest number that holds, to an eighth, and all that was tried.

    From `start` on it goes up or down by halves until it lies between two, and closes in.
    """
    tried = [attempt(min(start, most))]
    good, bad = (tried[0].streams, most + 1) if tried[0].holds else (0, tried[0].streams)
    while good < most and bad > most:
        tried.append(attempt(min(most, good + max(1, good // 2))))
        good, bad = (tried[-1].streams, bad) if tried[-1].holds else (good, tried[-1].streams)
    while good == 0 and bad > 1:
        tried.append(attempt(min(bad - 1, round(bad / 1.5))))
        good, bad = (tried[-1].streams, bad) if tried[-1].holds else (good, tried[-1].streams)
    while bad - good > max(1, good // 8):
        tried.append(attempt((good + bad) // 2))
        good, bad = (tried[-1].streams, bad) if tried[-1].holds else (good, tried[-1].streams)
    return good, tried


def run(*, quick: bool = False, size: int = 1) -> Result:
    """Search the most streams of each kind in turns, `size` times; `quick` looks at few for a short time."""
    most, load = QUICK_MOST if quick else MOST, os.getloadavg()[0]
    found: dict[str, list[int]] = {kind: [] for kind in STARTS}
    tries: dict[str, list[Tried]] = {kind: [] for kind in STARTS}
    with TemporaryDirectory() as folder:
        films = _prepare(Path(folder), most, quick=quick)
        for number in range(size):
            for kind, start in STARTS.items():
                tell(f"round {number + 1}: {kind}")
                with _attempts(Path(folder), kind, films, quick=quick) as attempt:
                    good, tried = most_that_hold(attempt, start, most)
                found[kind].append(good)
                tries[kind] += tried
    return _result(found, tries, load)


def _films(count: int, films: int) -> list[int]:
    """Return which film each stream shows: spread, so that few streams, too, move at different times.

    Streams go to the processes by turns, so that each process gets streams of all times.
    """
    each = max(1, -(-count // WORKERS))
    return [number // WORKERS * films // min(each, films) % films for number in range(count)]


def _delay_s(number: int) -> float:
    """Return how much later than another one a stream begins: pictures of cameras come at any moments.

    By steps of the golden ratio, so that few streams, too, are spread over the time between two pictures.
    """
    return number * _GOLDEN % 1.0 / FPS


def _prepare(place: Path, most: int, *, quick: bool) -> Mapping[str, Sequence[Path]]:
    tell("teaching, writing films")
    persons = read_lessons("persons")
    _save(_untaught() if quick else _teach(persons), place / "detectors", most)
    return write_films(persons, place / "films", variants=QUICK_VARIANTS if quick else VARIANTS)


@contextmanager
def _attempts(
    place: Path, kind: str, films: Mapping[str, Sequence[Path]], *, quick: bool
) -> Iterator[Attempt]:
    """Yield what tries a number of streams of a kind."""
    alone = kind == "alone"
    chosen = films["busy" if alone else kind]
    crowd = Crowd("alone" if alone else "elfowl", place / "detectors", MOST if alone else WORKERS)

    def attempt(count: int) -> Tried:
        streams = [
            Stream(_name(number), str(chosen[film]), _delay_s(number))
            for number, film in enumerate(_films(count, len(chosen)))
        ]
        tried = crowd.watch(streams, SETTLE_S, QUICK_SECONDS if quick else SECONDS)
        tell(f"  {_words(tried)}")
        return tried

    try:
        crowd.watch([Stream(_name(0), str(chosen[0]))] * (1 if alone else WORKERS), 1.0, 1.0)
        yield attempt
    finally:
        crowd.close()


def _result(found: Mapping[str, list[int]], tries: Mapping[str, list[Tried]], load: float) -> Result:
    def against(kind: str) -> dict[str, Metric]:
        pairs = zip(found[kind], found["alone"], strict=True)
        return spread([ours / max(1, alone) for ours, alone in pairs])

    cpu_ms = {kind: median(one.cpu_ms for one in some) for kind, some in tries.items()}
    return Result(
        "streams",
        "one process for each stream and detector, which looks at every picture",
        {
            "streams": median(found["quiet"]),
            "streams_always_moving": median(found["busy"]),
            "baseline_streams": median(found["alone"]),
            "cpu_ms_of_a_picture": {kind: round(one, 2) for kind, one in cpu_ms.items()},
            "of_each_round": {kind: spread([float(one) for one in some]) for kind, some in found.items()},
            "tried": {kind: [_words(one) for one in some] for kind, some in tries.items()},
        },
        {
            "of_baseline": against("quiet")["median"],
            "of_baseline_of_each_round": against("quiet"),
            "of_baseline_always_moving": against("busy"),
            "cpu_of_baseline": round(cpu_ms["quiet"] / cpu_ms["alone"], 3),
            "cpu_of_baseline_always_moving": round(cpu_ms["busy"] / cpu_ms["alone"], 3),
        },
        (
            "each stream's pictures come at moments of their own, also the baseline's",
            f"streams: people walk {MOVING_S} s of each minute, in a tenth of the streams at a time",
            "the baseline has no motion gate, so what it watches makes no difference to it",
            f"elfowl: {WORKERS} processes with one thread of networks each; subnet {SUBNET}",
            "elfowl looks with int8 numbers where the processor is quick with them, the baseline with float",
            f"each stream its own light detector; {_TAUGHT} were taught, the others are copies of their own",
            "without the database: storing events is measured by `ingest`",
            f"each number was watched for {SECONDS:.0f} s after {SETTLE_S:.0f} s that do not count",
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
        "cpu_ms": round(one.cpu_ms, 2),
    }


def _teach(persons: Lessons) -> list[FullDetector]:
    subnet = subnet_by_name(SUBNET)
    return teach_many([look_at_persons(persons, subnet)], subnet, _TAUGHT)


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
