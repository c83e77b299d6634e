"""`create`: from ten labelled frames to a usable detector, cache empty, clock from click to threshold.

Persons: five disjoint sets of ten frames, three seeds each, measured on frames of a later part of the clip;
beside full fine-tuning of the same network on the same frames, and beside the starter bundle, which nobody
taught. Two other tasks; one more frame in a running lesson; a fresh process. What the rivals do takes turns.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from bench.creating.curve import Pair, Series, draw_curve
from bench.creating.fine_tune import Point, fine_tune
from bench.creating.lessons import Lessons, read_lessons, tell
from bench.creating.stock import stock_ap50
from bench.creating.teach import Lesson, cold, lesson, lesson_from, one_more, teach
from bench.result import Metric, Result, spread
from cloud.detector.full import FullDetector
from cloud.subnets.registry import subnet_by_name
from cloud.training.config import TrainConfig

TARGET_AP50 = 0.9


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    sets: int
    seeds: int
    budgets_s: tuple[float, ...]
    counts: tuple[int, ...]
    fine_tuned_sets: int
    fine_tune_marks_s: tuple[float, ...]
    colds: int
    updates: int
    blind: bool


FULL = Extent(5, 3, (1.5, 3.0), (5, 20), 1, (10.0, 30.0, 75.0), 1, 3, blind=True)
QUICK = Extent(2, 1, (2.0,), (5,), 1, (10.0, 20.0), 1, 1, blind=False)


@dataclass
class Persons:
    """What was measured on the persons, set by set."""

    lessons: list[list[Lesson]] = field(default_factory=list)
    curves: list[list[Pair]] = field(default_factory=list)
    fine_tuned: list[list[Point]] = field(default_factory=list)
    counted: dict[int, list[Lesson]] = field(default_factory=dict)
    updates: list[Lesson] = field(default_factory=list)
    cold_s: list[float] = field(default_factory=list)

    @property
    def all(self) -> list[Lesson]:
        """Return the lessons of all sets and seeds."""
        return [one for lessons in self.lessons for one in lessons]


def run(*, quick: bool = False) -> Result:
    """Measure everything; `quick` is a glance that leaves the blind frames alone."""
    extent = QUICK if quick else FULL
    load = os.getloadavg()[0]
    lessons = read_lessons("persons")
    others = [read_lessons(name) for name in ("biscuit-box", "flask")]
    # As in a process that has taught before: imports and the subnet are there, features are not.
    teach(others[1].sets[0][:3], others[1].classes, replace(TrainConfig(), budget_s=1.0))
    persons = _persons(lessons, extent)
    stock = stock_ap50("persons", lessons.test)
    tiled = stock_ap50("persons", lessons.test, tiled=True)
    tasks: dict[str, Metric] = {one.task.name: _task(one, extent) for one in others}
    return Result(
        name="create",
        baseline="full fine-tuning of the same network on the same frames; the starter bundle, untaught",
        metrics=_metrics(lessons, persons, stock) | {"stock_tiled_ap50": tiled, "tasks": tasks},
        ratios={"fine_tune_time": _fine_tune_ratio(persons)},
        notes=(
            f"load of the machine at the start {load:.1f}" + (", a quick run" if quick else ""),
            "one camera: nothing here shows that it carries over",
            "fine_tune_time is a lower bound where fine_tune.reached is less than all",
        ),
        pictures={"create.svg": _picture(persons, stock)},
    )


def _persons(lessons: Lessons, extent: Extent) -> Persons:
    persons = Persons()
    for number in range(extent.sets):
        persons.lessons.append([])
        for seed in range(extent.seeds):
            config = replace(TrainConfig(), seed=seed)
            detector, one = lesson(lessons, number, config, blind=extent.blind)
            tell(f"persons, set {number}, seed {seed}: AP50 {one.ap50:.3f} in {one.seconds:.1f} s")
            persons.lessons[-1].append(one)
            if seed == 0:
                persons.curves.append(_curve(lessons, number, extent, one))
                _rivals(lessons, number, extent, persons, detector)
    _counts(lessons, extent, persons)
    return persons


def _curve(lessons: Lessons, number: int, extent: Extent, whole: Lesson) -> list[Pair]:
    points = [(whole.seconds, whole.ap50)]
    for budget_s in extent.budgets_s:
        _, one = lesson(lessons, number, replace(TrainConfig(), budget_s=budget_s))
        tell(f"persons, set {number}, budget {budget_s:.1f} s: AP50 {one.ap50:.3f} in {one.seconds:.1f} s")
        points.append((one.seconds, one.ap50))
    return sorted(points)


def _counts(lessons: Lessons, extent: Extent, persons: Persons) -> None:
    """Teach from fewer frames and from more, twice each: other frames, another seed."""
    for count in extent.counts:
        for number in range(2):
            config = replace(TrainConfig(), seed=number)
            _, one = lesson_from(lessons.spread(number, count), lessons, config)
            tell(f"persons, {count} frames: AP50 {one.ap50:.3f} in {one.seconds:.1f} s")
            persons.counted.setdefault(count, []).append(one)


def _rivals(lessons: Lessons, number: int, extent: Extent, persons: Persons, detector: FullDetector) -> None:
    if number < extent.updates:
        first, more = one_more(lessons, number, TrainConfig())
        tell(f"persons, set {number}, one more: {first.ap50:.3f} -> {more.ap50:.3f} in {more.seconds:.1f} s")
        persons.updates.append(more)
    if number < extent.colds:
        persons.cold_s.append(cold("persons", number, 0))
        tell(f"persons, set {number}, a fresh process: {persons.cold_s[-1]:.1f} s")
    if number < extent.fine_tuned_sets:
        subnet = subnet_by_name(detector.subnets[0].name)
        frames = lessons.sets[number]
        points = fine_tune(frames, lessons.test, detector.spec, subnet, extent.fine_tune_marks_s)
        tell("  fine-tuning: " + ", ".join(f"{one.ap50:.3f} at {one.seconds:.0f} s" for one in points))
        persons.fine_tuned.append(points)


def _task(lessons: Lessons, extent: Extent) -> Metric:
    done = [lesson(lessons, 0, replace(TrainConfig(), seed=seed))[1] for seed in range(extent.seeds)]
    tell(f"{lessons.task.name}: " + ", ".join(f"{one.ap50:.3f} in {one.seconds:.1f} s" for one in done))
    return {
        "ap50": spread([one.ap50 for one in done]),
        "ap": spread([one.ap for one in done]),
        "seconds": spread([one.seconds for one in done]),
        "labelled_frames": len(lessons.sets[0]),
        "test_frames": len(lessons.test),
        "stock_ap50": stock_ap50(lessons.task.name, lessons.test),
    }


def _metrics(lessons: Lessons, persons: Persons, stock: float | None) -> dict[str, Metric]:
    done = persons.all
    blind = [one.blind_ap50 for one in done if one.blind_ap50 is not None]
    ends = [points[-1] for points in persons.fine_tuned]
    return {
        "seconds_to_ap50_90": seconds_to(TARGET_AP50, persons.curves),
        "ap50": spread([one.ap50 for one in done]),
        "ap50_by_set": [median(one.ap50 for one in lessons_of) for lessons_of in persons.lessons],
        "blind_ap50": spread(blind) if blind else None,
        "ap": spread([one.ap for one in done]),
        "seconds": spread([one.seconds for one in done]),
        "cold_seconds": spread(persons.cold_s),
        "cpu_seconds": spread([one.cpu_s for one in done]),
        "update_seconds": spread([one.seconds for one in persons.updates]),
        "update_ap50": spread([one.ap50 for one in persons.updates]),
        "stock_ap50": stock,
        "fine_tune": {
            "seconds": spread([end.seconds for end in ends]),
            "ap50": spread([end.ap50 for end in ends]),
            "reached": sum(reached is not None for reached in _reached(persons)),
        },
        "by_labelled_frames": {
            str(count): {
                "ap50": spread([one.ap50 for one in counted]),
                "seconds": spread([one.seconds for one in counted]),
            }
            for count, counted in persons.counted.items()
        },
        "labelled_frames": len(lessons.sets[0]),
        "test_frames": len(lessons.test),
        "blind_frames": len(lessons.blind) if blind else 0,
    }


def seconds_to(target: float, curves: Sequence[Sequence[Pair]]) -> float | None:
    """Return the median over curves of the seconds at which AP50 first reaches a target.

    A curve that never does counts as endless; none = half of them or more are.
    """
    first = [min((s for s, ap50 in curve if ap50 >= target), default=float("inf")) for curve in curves]
    middle = median(first) if first else float("inf")
    return None if middle == float("inf") else middle


def _reached(persons: Persons) -> list[float | None]:
    """Return when fine-tuning was as good as elfowl's default on the same set; none = not in its time."""
    pairs = zip(persons.lessons, persons.fine_tuned, strict=False)
    return [
        next((point.seconds for point in points if point.ap50 >= lessons[0].ap50), None)
        for lessons, points in pairs
    ]


def _fine_tune_ratio(persons: Persons) -> float | None:
    pairs = zip(persons.lessons, persons.fine_tuned, _reached(persons), strict=False)
    ratios = [(reached or points[-1].seconds) / lessons[0].seconds for lessons, points, reached in pairs]
    return median(ratios) if ratios else None


def _picture(persons: Persons, stock: float | None) -> str:
    columns = list(zip(*persons.curves, strict=True))
    line = [(median(s for s, _ in column), median(ap50 for _, ap50 in column)) for column in columns]
    points = [pair for curve in persons.curves for pair in curve]
    series = [Series("elfowl, 10 frames", [*points, *((o.seconds, o.ap50) for o in persons.all)], line)]
    tuned = [[(point.seconds, point.ap50) for point in points] for points in persons.fine_tuned]
    if tuned:
        columns = list(zip(*tuned, strict=True))
        line = [(median(s for s, _ in column), median(ap50 for _, ap50 in column)) for column in columns]
        series.append(Series("full fine-tuning", [pair for curve in tuned for pair in curve], line))
    if stock is not None:
        ends = [s for one in series for s, _ in one.points]
        series.append(Series("stock SSD, untaught", [], [(min(ends), stock), (max(ends), stock)]))
    return draw_curve("Persons: AP50 on unseen frames against seconds of training", series)
