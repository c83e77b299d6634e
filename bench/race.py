"""`race`: what a race of subnets chose, beside every shipped subnet alone, chosen by hand, on three tasks.

By hand means with hindsight: the subnet that did best on the test frames, which the race never sees. The race
decides by frames it holds out of those it is taught from. Medians over sets of frames and seeds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from bench.creating.lessons import Lessons, read_lessons, tell
from bench.creating.teach import lesson, never, silent, teach
from bench.result import Metric, Result
from cloud.subnets.manifest import MACS_AT_PX, SubnetManifest
from cloud.subnets.registry import built_in
from cloud.training.config import TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.race import RaceResult, race
from cloud.training.verdict import RaceEntry

BUDGET_S = 60.0
RUNS = 5
"""Of each task: its sets of frames in turn, then with another seed. One run says little: by the seed, one
subnet's AP50 on the flask was 1.00, 0.93, 0.99, 0.97 or 0.96."""

TASKS = ("persons", "biscuit-box", "flask")

AS_GOOD = 0.005
"""What differs by so little is the same: one object of some 190 more or less."""

Measure = Literal["ap50", "ap"]
"""By what is chosen by hand: boxes roughly right, or COCO's AP, which asks for tight ones, as races do."""


@dataclass(frozen=True)
class Runner:
    """How one detector did on the test frames, and what it costs: multiply-accumulates of its subnets."""

    ap50: float
    ap: float
    macs: int
    seconds: float

    def by(self, measure: Measure) -> float:
        """Return how good it was."""
        return self.ap50 if measure == "ap50" else self.ap


@dataclass
class Task:
    """What was measured on one task, set by set."""

    by_hand: dict[str, list[Runner]] = field(default_factory=dict)
    raced: list[Runner] = field(default_factory=list)
    reports: list[RaceResult] = field(default_factory=list)


def run(*, quick: bool = False) -> Result:
    """Race and choose by hand on every task; `quick` does it once each, in half the time."""
    load = os.getloadavg()[0]
    config = replace(TrainConfig(), budget_s=BUDGET_S / 2 if quick else BUDGET_S)
    tasks = {}
    for name in TASKS:
        lessons, task = read_lessons(name), Task()
        for run_number in range(1 if quick else RUNS):
            seed, number = divmod(run_number, len(lessons.sets))
            _by_hand(lessons, number, replace(config, seed=seed), task)
            _race(lessons, number, replace(config, seed=seed), task)
        tasks[name] = task
    return Result(
        name="race",
        baseline="the best of the shipped subnets alone, chosen with hindsight on the test frames",
        metrics={name: _metrics(task) for name, task in tasks.items()},
        ratios={name: _ratios(task) for name, task in tasks.items()},
        notes=(
            f"load of the machine at the start {load:.1f}" + (", a quick run" if quick else ""),
            f"verdicts call what differs by {AS_GOOD} the same; costs: the subnets' multiply-accumulates",
        ),
    )


def _by_hand(lessons: Lessons, number: int, config: TrainConfig, task: Task) -> None:
    # Once in vain where the subnet was not used before, so that making its session is on no clock.
    for subnet in built_in():
        alone = replace(config, subnets=(subnet.name,))
        if subnet.name not in task.by_hand:
            teach(lessons.sets[number][:2], lessons.classes, replace(alone, budget_s=1.0))
        detector, one = lesson(lessons, number, alone)
        runner = Runner(one.ap50, one.ap, macs_of([subnet], detector.input_size_px), one.seconds)
        task.by_hand.setdefault(subnet.name, []).append(runner)
        tell(f"{lessons.task.name}, set {number}: {subnet.name} AP50 {one.ap50:.3f} in {one.seconds:.1f} s")


def _race(lessons: Lessons, number: int, config: TrainConfig, task: Task) -> None:
    done = race(lessons.sets[number], lessons.classes, config, silent, never)
    quality = evaluate(done.result.detector, lessons.test)
    macs = _entry(done).macs
    task.raced.append(Runner(quality.ap50, quality.ap, macs, done.report.seconds))
    task.reports.append(done)
    tell(
        f"{lessons.task.name}, set {number}: race chose {done.report.chosen}, "
        f"AP50 {quality.ap50:.3f} in {done.report.seconds:.1f} s"
    )
    for entry in done.report.entries:
        tell(f"    {entry.name}: score {entry.score}, {entry.ms} ms, gates {entry.gates}: {entry.verdict}")


def macs_of(subnets: list[SubnetManifest], size_px: tuple[int, int]) -> int:
    """Return the multiply-accumulates of subnets at an input size."""
    share = size_px[0] * size_px[1] / (MACS_AT_PX[0] * MACS_AT_PX[1])
    return round(sum(subnet.macs for subnet in subnets) * share)


def _entry(done: RaceResult) -> RaceEntry:
    return next(entry for entry in done.report.entries if entry.name == done.report.chosen)


def middle(runners: list[Runner]) -> Runner:
    """Return the medians of some runs."""
    return Runner(
        median(one.ap50 for one in runners),
        median(one.ap for one in runners),
        round(median(one.macs for one in runners)),
        median(one.seconds for one in runners),
    )


def best_by_hand(by_hand: dict[str, Runner], measure: Measure = "ap50") -> str:
    """Return the best subnet with hindsight; of those as good as it the cheapest."""
    top = max(one.by(measure) for one in by_hand.values())
    good = [name for name, one in by_hand.items() if one.by(measure) >= top - AS_GOOD]
    return min(good, key=lambda name: (by_hand[name].macs, -by_hand[name].by(measure)))


def verdict(raced: Runner, hand: Runner, measure: Measure = "ap50") -> str:
    """Return how a race did beside the choice by hand."""
    gain, cost = raced.by(measure) - hand.by(measure), raced.macs / hand.macs
    if gain > AS_GOOD:
        word = "better"
    elif gain < -AS_GOOD:
        word = "worse"
    else:
        word = "equal"
    return f"{word}: {gain:+.3f} {measure.upper()} for {cost:.2f}x the cost"


def _metrics(task: Task) -> Metric:
    by_hand = {name: middle(runners) for name, runners in task.by_hand.items()}
    raced = middle(task.raced)
    best, best_ap = best_by_hand(by_hand), best_by_hand(by_hand, "ap")
    return {
        "verdict": verdict(raced, by_hand[best]),
        "best_by_hand": best,
        "verdict_by_ap": verdict(raced, by_hand[best_ap], "ap"),
        "best_by_hand_by_ap": best_ap,
        "by_hand": {name: _row(one) for name, one in by_hand.items()},
        "race": _row(raced) | {"chosen": [done.report.chosen for done in task.reports]},
        "candidates": [
            {entry.name: _candidate(entry) for entry in done.report.entries} for done in task.reports
        ],
    }


def _row(runner: Runner) -> dict[str, Metric]:
    return {"ap50": runner.ap50, "ap": runner.ap, "macs": runner.macs, "seconds": runner.seconds}


def _candidate(entry: RaceEntry) -> Metric:
    gates: dict[str, Metric] = {name: list(values) for name, values in entry.gates.items()}
    return {
        "verdict": entry.verdict,
        "score": entry.score,
        "spread": entry.spread,
        "macs": entry.macs,
        "ms": entry.ms,
        "gates": gates,
    }


def _ratios(task: Task) -> Metric:
    by_hand = {name: middle(runners) for name, runners in task.by_hand.items()}
    best, raced = by_hand[best_by_hand(by_hand)], middle(task.raced)
    return {
        "ap50_of_best_by_hand": raced.ap50 / max(1e-9, best.ap50),
        "cost_of_best_by_hand": raced.macs / best.macs,
    }
