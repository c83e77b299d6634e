"""Runs: the trainings that one call of `fit` needs, side by side, and what they show together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np

from cloud.datasets.split import Split
from cloud.detector.full import decode_detections, run_head
from cloud.detector.head import AnchorFreeHead
from cloud.detector.spec import DetectorSpec, Quality
from cloud.training.config import CancelledError
from cloud.training.evaluate import SCORE_FLOOR, AnsweredFrame, measure
from cloud.training.learn import LearnPlan, WindowPool, learn
from cloud.training.samples import FrameSamples
from edge_agent.clock import Clock

CHECKPOINTS = (0.8, 1.0)
_AS_GOOD = 0.005
_REPORT_S = 0.25
_SLACK_SHARE = 0.15
_FIRST_SHARE = 0.9
_SECOND_LEAST_SHARE = 0.15


@dataclass(frozen=True)
class Run:
    """One training: from which frames, and how."""

    split: Split
    plan: LearnPlan


class _OutOfTimeError(Exception):
    """A run that only checks would end after the deadline."""


@dataclass
class Pace:
    """Shared by the threads of all runs: how far each is, whether to stop, and when time is up.

    When there is too little time, the first run, which makes the detector, hurries its schedule; so does the
    second, so that something is known about quality; the others are given up.
    """

    clock: Clock
    seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    done: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._deadline_s = self.clock.monotonic_s() + self.seconds

    def stepper(self, number: int) -> Callable[[float], float]:
        """Return the `keep_going` of one run; it raises when the run is cancelled or given up."""
        start_s = self.clock.monotonic_s()
        own_s = self._own_seconds(number, self._deadline_s - start_s)

        def keep_going(progress: float) -> float:
            if self.stop.is_set():
                message = "training was cancelled"
                raise CancelledError(message)
            self.done[number] = progress
            passed = (self.clock.monotonic_s() - start_s) / own_s
            if number > 1:
                if passed >= 1:
                    raise _OutOfTimeError
                return progress
            # A run that is in time goes by its steps alone, or it would never come out the same twice.
            return max(progress, (passed - _SLACK_SHARE) / (1 - _SLACK_SHARE))

        return keep_going

    def _own_seconds(self, number: int, left_s: float) -> float:
        if number == 0:
            return max(1e-3, self.seconds * _FIRST_SHARE)
        return max(1e-3, left_s, self.seconds * _SECOND_LEAST_SHARE if number == 1 else 0.0)


Heads = list[AnchorFreeHead]
"""The heads of one run, at its checkpoints."""


def carry_out(
    runs: Sequence[Run],
    pool: WindowPool,
    classes: int,
    threads: int,
    pace: Pace,
    report: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> list[Heads | None]:
    """Carry out all runs, `threads` at a time; return the heads of each, none for those given up.

    Raises:
        CancelledError: `cancelled` said so.
        TrainingError: A run went astray.
    """

    def one(number: int) -> Heads | None:
        run = runs[number]
        try:
            return learn(pool, run.split.train, classes, run.plan, pace.stepper(number))
        except _OutOfTimeError:
            return None
        finally:
            pace.done[number] = 1.0

    with ThreadPoolExecutor(threads) as workers:
        futures = [workers.submit(one, number) for number in range(len(runs))]
        try:
            _watch(futures, pace, report, cancelled)
            return [future.result() for future in futures]
        finally:
            # A run that failed or was cancelled takes the others with it.
            pace.stop.set()


def _watch(
    futures: Sequence[Future[Heads | None]],
    pace: Pace,
    report: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> None:
    while True:
        done, waiting = wait(futures, _REPORT_S, return_when=FIRST_EXCEPTION)
        for future in done:
            # Raise the first failure now rather than after the others have ended.
            future.result()
        if not waiting:
            return
        if cancelled():
            message = "training was cancelled"
            raise CancelledError(message)
        report(sum(pace.done.copy().values()) / len(futures))


def answer(spec: DetectorSpec, head: AnchorFreeHead, samples: FrameSamples) -> AnsweredFrame:
    """Return what a head says about the plain view of a frame."""
    scores, boxes = run_head(head, tuple(level.astype(np.float32) for level in samples.plain_levels))
    found = decode_detections(spec, scores, boxes, samples.plain.boxes_norm, SCORE_FLOOR)
    return AnsweredFrame(samples.frame, tuple(found))


def check(
    spec: DetectorSpec,
    runs: Sequence[Run],
    heads: Sequence[Heads | None],
    samples: Sequence[FrameSamples],
) -> tuple[int, Quality] | None:
    """Return the best checkpoint on held-out frames and its quality; none when nothing was held out.

    Of checkpoints about as good the last wins: more often than not it is.
    """
    names = [label.name for label in spec.labels]
    checked: list[tuple[int, Quality]] = []
    for index in range(len(CHECKPOINTS)):
        answered = [
            answer(spec, own[index], samples[number])
            for run, own in zip(runs, heads, strict=True)
            if own is not None
            for number in run.split.held_out
            if samples[number].frame.trusted_xyxy_norm is None
        ]
        if not answered:
            return None
        checked.append((index, measure(answered, names)))
    best = max(quality.ap50 + quality.ap for _, quality in checked)
    return [one for one in checked if one[1].ap50 + one[1].ap >= best - _AS_GOOD][-1]
