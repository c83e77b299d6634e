"""Runs: the trainings that one call of `fit` needs, side by side, and what they show together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import numpy as np

from cloud.datasets.split import Split
from cloud.detector.full import TaughtHead, decode_detections, run_head
from cloud.detector.spec import DetectorSpec, Quality
from cloud.errors import TrainingError
from cloud.training.config import CancelledError
from cloud.training.evaluate import SCORE_FLOOR, AnsweredFrame, measure
from cloud.training.learn import LearnPlan, Lesson, learn
from cloud.training.pool import WindowPool
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


Lessons = list[Lesson]
"""What one run gave, at its checkpoints."""

Learner = Callable[[WindowPool, Sequence[int], int, LearnPlan, Callable[[float], float]], Lessons]
"""Called as `cloud.training.learn.learn` is."""


def carry_out(
    runs: Sequence[Run],
    pool: WindowPool,
    classes: int,
    threads: int,
    pace: Pace,
    report: Callable[[float], None],
    cancelled: Callable[[], bool],
    learner: Learner = learn,
) -> list[Lessons | None]:
    """Carry out all runs, `threads` at a time; return the lessons of each, none for those given up.

    Args:
        runs: The first is never given up.
        pool: Windows of all frames.
        classes: How many classes there are.
        threads: Each uses one core.
        pace: Says when time is up.
        report: Told the share that is done, 0..1.
        cancelled: Asked several times a second.
        learner: Teaches one run.

    Raises:
        CancelledError: `cancelled` said so.
        TrainingError: A run went astray.
    """

    def one(number: int) -> Lessons | None:
        run = runs[number]
        try:
            return learner(pool, run.split.train, classes, run.plan, pace.stepper(number))
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
    futures: Sequence[Future[Lessons | None]],
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


@dataclass(frozen=True)
class Chosen:
    """The lesson that becomes the detector, and how well it does; none when nothing was held out."""

    lesson: Lesson
    quality: Quality | None


def choose(
    spec: DetectorSpec,
    runs: Sequence[Run],
    lessons: Sequence[Lessons | None],
    samples: Sequence[FrameSamples],
    levels: Sequence[int] | None = None,
) -> Chosen:
    """Return the best checkpoint of the first run, as far as what was held out shows which that is.

    Args:
        spec: Of the detector.
        runs: The first makes the detector; where it holds nothing out, the others check.
        lessons: What each gave.
        samples: Of all frames.
        levels: Numbers of the levels of the samples that the detector has; none = all.

    Raises:
        TrainingError: The first run gave nothing.
    """
    if lessons[0] is None:
        message = "training ended without a detector; give it more time"
        raise TrainingError(message)
    few = not runs[0].split.held_out
    checked = check(spec, runs[1:] if few else runs, lessons[1:] if few else lessons, samples, levels)
    if checked is None:
        return Chosen(lessons[0][-1], None)
    index, quality = checked
    how = "cross_validation" if few else "held_out"
    return Chosen(lessons[0][index], quality.model_copy(update={"how": how}))


def answer(
    spec: DetectorSpec, head: TaughtHead, samples: FrameSamples, levels: Sequence[int] | None = None
) -> AnsweredFrame:
    """Return what a head says about the plain view of a frame."""
    own = samples.plain_levels if levels is None else [samples.plain_levels[i] for i in levels]
    scores, boxes = run_head(head, tuple(level.astype(np.float32) for level in own))
    found = decode_detections(spec, scores, boxes, samples.plain.boxes_norm, SCORE_FLOOR)
    return AnsweredFrame(samples.frame, tuple(found))


def check(
    spec: DetectorSpec,
    runs: Sequence[Run],
    lessons: Sequence[Lessons | None],
    samples: Sequence[FrameSamples],
    levels: Sequence[int] | None = None,
) -> tuple[int, Quality] | None:
    """Return the best checkpoint on held-out frames and its quality; none when nothing was held out.

    Of checkpoints about as good the last wins: more often than not it is.
    """
    names = [label.name for label in spec.labels]
    checked: list[tuple[int, Quality]] = []
    for index in range(len(CHECKPOINTS)):
        answered = answers_of(spec, runs, lessons, samples, levels, index)
        if not answered:
            return None
        checked.append((index, measure(answered, names)))
    best = max(quality.ap50 + quality.ap for _, quality in checked)
    return [one for one in checked if one[1].ap50 + one[1].ap >= best - _AS_GOOD][-1]


def answers_of(
    spec: DetectorSpec,
    runs: Sequence[Run],
    lessons: Sequence[Lessons | None],
    samples: Sequence[FrameSamples],
    levels: Sequence[int] | None = None,
    checkpoint: int = -1,
) -> list[AnsweredFrame]:
    """Return what the runs say about the whole frames that each did not learn from."""
    return [
        answer(spec, own[checkpoint].head, samples[number], levels)
        for run, own in zip(runs, lessons, strict=True)
        if own is not None
        for number in run.split.held_out
        if samples[number].frame.trusted_xyxy_norm is None
    ]
