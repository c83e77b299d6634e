"""How far a compression is, and how long it still takes.

The plan is a list of stages one after another; a stage is one or more lanes of steps side by side. Steps
carry the seconds that they took on the machine where the plan was written; what finished steps really took,
against the plan, gives the pace of this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.clock import Clock

_ALMOST_DONE = 0.05


@dataclass(frozen=True)
class Progress:
    """A glance at a running compression; `fraction` in 0..1 never goes back."""

    stage: str
    fraction: float
    message: str
    seconds_left: float


ProgressListener = Callable[[Progress], None]


@dataclass(frozen=True)
class Step:
    """One step of a lane: its key, what a person reads meanwhile, the seconds that it is likely to take.

    A `budgeted` step takes as long as it was given, whatever the machine's pace.
    """

    name: str
    message: str
    expected_s: float
    budgeted: bool = False


Lane = tuple[Step, ...]
Stage = tuple[str, tuple[Lane, ...]]


class ProgressMeter:
    """Follows the steps of a plan; safe to call from the lanes' threads."""

    def __init__(self, plan: tuple[Stage, ...], clock: Clock, listener: ProgressListener | None) -> None:
        """Start the meter; `listener` is called on each `tick`."""
        self._plan = plan
        self._clock = clock
        self._listener = listener
        self._lock = threading.Lock()
        self._started_s = clock.monotonic_s()
        self._begun_s: dict[str, float] = {}
        self._took_s: dict[str, float] = {}
        self._fraction = 0.0
        self._messages: dict[str, str] = {}

    def plan_anew(self, plan: tuple[Stage, ...]) -> None:
        """Take another plan; steps that are in both keep what they took."""
        with self._lock:
            self._plan = plan

    def say(self, step: str, message: str) -> None:
        """Tell what a step does now, instead of the plan's words."""
        with self._lock:
            self._messages[step] = message

    def begin(self, step: str) -> None:
        """Note that a step starts."""
        with self._lock:
            self._begun_s[step] = self._clock.monotonic_s()

    def end(self, step: str) -> None:
        """Note that a step is done."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._took_s[step] = now_s - self._begun_s.get(step, now_s)

    @property
    def seconds(self) -> dict[str, float]:
        """Return what each finished step took, and the total so far."""
        with self._lock:
            total_s = self._clock.monotonic_s() - self._started_s
            return {name: round(took_s, 2) for name, took_s in self._took_s.items()} | {
                "total": round(total_s, 2)
            }

    def tick(self) -> None:
        """Tell the listener how far it is."""
        if self._listener is not None:
            self._listener(self.look())

    def look(self) -> Progress:
        """Return how far it is now."""
        with self._lock:
            pace = self._pace()
            left_s = sum(max(self._lane_left_s(lane, pace) for lane in lanes) for _, lanes in self._plan)
            stage, message = self._current()
            elapsed_s = self._clock.monotonic_s() - self._started_s
            done = elapsed_s / (elapsed_s + left_s) if left_s > 0 else 1.0
            self._fraction = max(self._fraction, done)
            return Progress(stage, round(self._fraction, 4), message, round(left_s, 1))

    def _lane_left_s(self, lane: Lane, pace: float = 1.0) -> float:
        return sum(self._step_left_s(step) * (1.0 if step.budgeted else pace) for step in lane)

    def _step_left_s(self, step: Step) -> float:
        if step.name in self._took_s:
            return 0.0
        begun_s = self._begun_s.get(step.name)
        if begun_s is None:
            return step.expected_s
        # A step that takes longer than planned stays "almost done"; it never counts as finished by itself.
        running_s = self._clock.monotonic_s() - begun_s
        return max(step.expected_s - running_s, _ALMOST_DONE * step.expected_s)

    def _pace(self) -> float:
        """Return how much slower than planned the finished steps were (below 1: faster)."""
        steps = [
            step
            for _, lanes in self._plan
            for lane in lanes
            for step in lane
            if step.name in self._took_s and not step.budgeted
        ]
        planned_s = sum(step.expected_s for step in steps)
        return sum(self._took_s[step.name] for step in steps) / planned_s if planned_s > 0 else 1.0

    def _current(self) -> tuple[str, str]:
        """Return the stage that runs, and the message of its lane with most to do."""
        for name, lanes in self._plan:
            lane = max(lanes, key=self._lane_left_s)
            for step in lane:
                if step.name not in self._took_s:
                    return name, self._messages.get(step.name, step.message)
        return "done", "done"


class MeterPart:
    """A part of a plan whose steps occur more than once: their names begin with the part's own."""

    def __init__(self, meter: ProgressMeter, prefix: str) -> None:
        """Count steps under `prefix + name`."""
        self._meter, self._prefix = meter, prefix

    def begin(self, step: str) -> None:
        """Note that a step starts."""
        self._meter.begin(self._prefix + step)

    def end(self, step: str) -> None:
        """Note that a step is done."""
        self._meter.end(self._prefix + step)

    def tick(self) -> None:
        """Tell the listener how far all is."""
        self._meter.tick()
