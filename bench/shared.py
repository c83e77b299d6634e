"""`shared`: 1 to 50 taught detectors on one stream, one thread; baseline: that many separate detectors.

All of the work counts: letterbox, subnet, neck, heads, decoding, suppression, up to the detections. Counts
are interleaved, round by round; costs are processor time of this one thread, so that neighbours on the
machine count less, with wall time beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain
from statistics import median

from bench.creating.lessons import Lessons, read_lessons, tell
from bench.result import Metric, Result, spread
from bench.sharing.teach import Task, check_ap50, look_at_tasks, teach_full, teach_light, teach_many
from cloud.datasets.pictures import read_pictures
from cloud.detector.full import FullDetector
from cloud.detector.light import LightNetwork, stored_bytes
from cloud.detector.shared import SharedRunner
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_name
from compress.threads import one_thread_each
from edge_agent.vision.arrays import Rgb

COUNTS = (1, 2, 5, 10, 50)
ROUNDS = 5
SUBNETS = ("ssd_mobilenet_v2",)
_SEEDS = (0, 1, 2)
_PICTURES = 4
_REPEATS = 3
"""Of all pictures a round, but for the separate detectors: those take seconds, and see one picture."""

_SEPARATE_PICTURES = 1
_NOTES = (
    "accuracy: AP50 on frames of the training part that were not learned from, not on test frames",
    "the neck was made from photos; no frame of these clips went into it",
)

Seconds = tuple[float, float]
"""Of processor and of wall."""


def run() -> Result:
    """Teach, check that answers are the same, then measure costs for each subnet."""
    persons, product = read_lessons("persons"), read_lessons("biscuit-box")
    pictures = _stream(persons)
    metrics: dict[str, Metric] = {}
    ratios: dict[str, Metric] = {}
    with one_thread_each():
        for name in SUBNETS:
            subnet = subnet_by_name(name)
            tell(f"teaching on {name}")
            tasks = look_at_tasks(persons, product, subnet)
            detectors = teach_many(tasks, subnet, max(COUNTS))
            full = teach_full(tasks[0], subnet, 0)
            tell(f"measuring on {name}")
            costs = measure_costs(detectors, full, pictures)
            metrics[name] = {
                **_medians(costs),
                "accuracy": _accuracy(tasks, subnet),
                "difference": _differences(detectors, pictures),
                "head_bytes": max(map(_head_bytes, detectors)),
            }
            ratios[name] = _ratios(costs)
            if name == SUBNETS[0]:
                ratios["cost_of_50"] = _cost_of_most(costs)
    return Result(
        "shared", "as many separate detectors, each with a pass of its own", metrics, ratios, _NOTES
    )


def _stream(persons: Lessons) -> list[Rgb]:
    """Return pictures of the persons clip that no detector learned from."""
    sources = [frame.source for frame in persons.test[:: len(persons.test) // _PICTURES][:_PICTURES]]
    return [rgb for _, rgb in read_pictures(sources)]


def measure_costs(
    detectors: Sequence[FullDetector], full: FullDetector, pictures: Sequence[Rgb]
) -> dict[str, list[Seconds]]:
    """Return the seconds a picture, a round, of every arrangement."""
    often, once = [*pictures] * _REPEATS, pictures[:_SEPARATE_PICTURES]
    jobs: dict[str, tuple[Callable[[Rgb], object], Sequence[Rgb]]] = {"full": (full.detect, often)}
    # The two that the goal compares come one after the other: what disturbs one then disturbs both.
    for count in (*COUNTS[1:-1], COUNTS[0], COUNTS[-1]):
        jobs[f"shared_{count}"] = (_together(detectors[:count]), often)
    jobs |= {f"separate_{count}": (_apart(detectors[:count]), once) for count in COUNTS}
    for work, _ in jobs.values():
        work(pictures[0])
    costs: dict[str, list[Seconds]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, (work, some) in jobs.items():
            costs[name].append(_seconds(work, some))
    return costs


def _together(detectors: Sequence[FullDetector]) -> Callable[[Rgb], object]:
    runner = SharedRunner(detectors)
    return lambda rgb: runner.detect_many([rgb])


def _apart(detectors: Sequence[FullDetector]) -> Callable[[Rgb], object]:
    return lambda rgb: [detector.detect(rgb) for detector in detectors]


def _seconds(work: Callable[[Rgb], object], pictures: Sequence[Rgb]) -> Seconds:
    wall_s, processor_s = time.perf_counter(), time.process_time()
    for rgb in pictures:
        work(rgb)
    spent = time.process_time() - processor_s, time.perf_counter() - wall_s
    return spent[0] / len(pictures), spent[1] / len(pictures)


def _medians(costs: dict[str, list[Seconds]]) -> dict[str, Metric]:
    return {
        f"{name}_ms": {
            "cpu": 1e3 * median(cpu for cpu, _ in rounds),
            "wall": 1e3 * median(wall for _, wall in rounds),
        }
        for name, rounds in costs.items()
    }


def _ratios(costs: dict[str, list[Seconds]]) -> dict[str, Metric]:
    def against(name: str, base: str, clock: int) -> dict[str, Metric]:
        return spread([one[clock] / two[clock] for one, two in zip(costs[name], costs[base], strict=True)])

    most = max(COUNTS)
    return {
        f"cost_of_{most}": against(f"shared_{most}", "shared_1", 0),
        f"cost_of_{most}_wall": against(f"shared_{most}", "shared_1", 1),
        f"cost_of_{most}_beside_full": against(f"shared_{most}", "full", 0),
        f"separate_of_shared_{most}": against(f"separate_{most}", f"shared_{most}", 0),
    }


def _cost_of_most(costs: dict[str, list[Seconds]]) -> float:
    return median(
        many[0] / one[0] for many, one in zip(costs[f"shared_{max(COUNTS)}"], costs["shared_1"], strict=True)
    )


def _accuracy(tasks: Sequence[Task], subnet: SubnetManifest) -> dict[str, Metric]:
    return {
        task.name: {
            "full_ap50": spread([check_ap50(task, teach_full(task, subnet, seed)) for seed in _SEEDS]),
            "light_ap50": spread([check_ap50(task, teach_light(task, subnet, seed)) for seed in _SEEDS]),
        }
        for task in tasks
        if len(task.classes) == 1
    }


def _differences(detectors: Sequence[FullDetector], pictures: Sequence[Rgb]) -> dict[str, Metric]:
    """Return how far shared answers are from each detector's alone; none where their number differs."""
    answers = SharedRunner(detectors).detect_many(pictures)
    score = box = 0.0
    count = 0
    for detector in detectors:
        ours, theirs = answers[detector.ref], detector.detect_many(pictures)
        if [len(seen) for seen in ours] != [len(seen) for seen in theirs]:
            return {"score": None, "box": None, "detections": None}
        for one, other in zip(chain(*ours), chain(*theirs), strict=True):
            count += 1
            score = max(score, abs(one.score - other.score))
            box = max(box, *(abs(a - b) for a, b in zip(one.box, other.box, strict=True)))
    return {"score": score, "box": box, "detections": count}


def _head_bytes(detector: FullDetector) -> int:
    return stored_bytes(detector.taught_head.head) if isinstance(detector.taught_head, LightNetwork) else 0
