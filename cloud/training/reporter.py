"""Turns what training does into one bar that moves evenly, and a guess of the time left."""

from __future__ import annotations

from collections.abc import Callable

from cloud.training.config import Progress
from edge_agent.clock import Clock

_VIEW_COST = 0.05
_STEP_COST = 0.025
_CHECK_COST = 0.5
_GUESS_FROM = 0.05


class Reporter:
    """Knows what each part costs an ordinary core; how fast this machine is shows as it goes."""

    def __init__(
        self, progress: Callable[[Progress], None], clock: Clock, *, views: int, threads: int
    ) -> None:
        self._progress, self._clock = progress, clock
        self._start_s = clock.monotonic_s()
        self._look_cost = views * _VIEW_COST / threads
        self._threads = threads
        self._has_looked = False
        self._loss: float | None = None
        # Until the runs are planned: learning takes about as long as looking.
        self._learn_cost = self._look_cost

    def read(self, name: str) -> None:
        """Report that a picture is being read; once one was looked at, that is what is told."""
        if not self._has_looked:
            self._progress(Progress("reading", 0.0, f"reading {name}"))

    def looked(self, count: int, total: int) -> None:
        """Report how many pictures have been looked at."""
        self._has_looked = True
        self._report("looking", self._look_cost * count / total, f"looked at {count} of {total} pictures")

    def note_loss(self, loss: float) -> None:
        """Take the newest loss, from any thread; the next report tells it."""
        self._loss = loss

    def learning(self, steps: int) -> None:
        """Note how many steps all runs have together, and report the start."""
        self._learn_cost = steps * _STEP_COST / self._threads
        self.learned(0.0)

    def learned(self, share: float) -> None:
        """Report the share of learning that is done, 0..1."""
        self._report("learning", self._look_cost + self._learn_cost * share, f"learning: {share:.0%}")

    def checking(self) -> None:
        """Report that only the checks are left."""
        self._report(
            "checking", self._look_cost + self._learn_cost, "checking on pictures that it did not learn from"
        )

    def _report(self, stage: str, cost: float, message: str) -> None:
        fraction = min(0.99, cost / (self._look_cost + self._learn_cost + _CHECK_COST))
        left_s = self._elapsed_s() * (1 - fraction) / fraction if fraction > _GUESS_FROM else None
        self._progress(Progress(stage, fraction, message, left_s, self._loss))  # type: ignore[arg-type]

    def _elapsed_s(self) -> float:
        return self._clock.monotonic_s() - self._start_s
