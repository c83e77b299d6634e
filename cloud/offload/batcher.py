"""Puts pictures that wait into batches: what came while the last batch ran is the next one.

So a lone picture never waits for others, and a crowd shares its passes.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloud.errors import BusyError
from cloud.offload.protocol import Inferred
from edge_agent.clock import Clock
from edge_agent.errors import BackendError, ElfowlError
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef

_LOG = logging.getLogger(__name__)
_FIRST_GUESS_MS = 80.0
_SMOOTHING = 0.2
_SLACK_USED = 0.5
"""Of the time that is left: a picture often takes longer than usual, and the answer has a way to go."""


Outcome = Inferred | ElfowlError


@dataclass(frozen=True)
class Waiting:
    """A picture that waits, and which part of a frame it shows; times are of the monotonic clock."""

    folder: Path
    jpeg: bytes
    asked_s: float
    deadline_s: float
    on_done: Callable[[Outcome], None]
    alone: bool = False
    part: XyxyNorm = WHOLE


@dataclass(frozen=True)
class Seen:
    """What a detector saw in one picture."""

    detector: DetectorRef
    detections: Sequence[Detection]


See = Callable[[Sequence[Waiting]], Sequence[Seen | ElfowlError]]
"""Looks at pictures together; one answer each."""


def batch_size(waiting: int, slack_ms: float, usual_ms: float, most: int) -> int:
    """Return how many pictures to take at once.

    Args:
        waiting: How many wait.
        slack_ms: How long the most urgent of them can still wait for its answer.
        usual_ms: What one picture usually takes.
        most: At most so many.
    """
    in_time = int(_SLACK_USED * slack_ms / usual_ms) if usual_ms > 0 else most
    return max(1, min(waiting, most, in_time))


class MicroBatcher:
    """A thread that answers what waits, the most urgent first.

    More threads that run networks would only slow each other down; more processes are the way.
    """

    def __init__(self, see: See, clock: Clock, *, most: int = 4) -> None:
        """Start; `see` is called in this batcher's thread only."""
        self._see, self._clock, self._most = see, clock, most
        self._queue: list[tuple[float, int, Waiting]] = []
        self._count = 0
        self._usual_ms = _FIRST_GUESS_MS
        self._work: list[Callable[[], None]] = []
        self._closing = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="infer", daemon=True).start()

    def submit(self, waiting: Waiting) -> None:
        """Let a picture wait for its turn; `on_done` is called in this batcher's thread."""
        with self._changed:
            self._count += 1
            heapq.heappush(self._queue, (waiting.deadline_s, self._count, waiting))
            self._changed.notify()

    def between(self, work: Callable[[], None]) -> None:
        """Do something else in this batcher's thread, before the next batch."""
        with self._changed:
            self._work.append(work)
            self._changed.notify()

    def close(self) -> None:
        """Take no other batch; the one under way is not waited for."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._queue or self._work)
                if self._closing:
                    return
                work, self._work = self._work, []
                batch = self._take()
            for one in work:
                one()
            if batch:
                self._answer(batch)

    def _take(self) -> list[Waiting]:
        """Return the next batch; pictures whose time is over are told so, and left out."""
        now_s = self._clock.monotonic_s()
        while self._queue and self._queue[0][0] <= now_s:
            late = heapq.heappop(self._queue)[2]
            late.on_done(_too_late(now_s - late.asked_s))
        if not self._queue:
            return []
        slack_ms = (self._queue[0][0] - now_s) * 1000
        batch: list[Waiting] = []
        for _ in range(batch_size(len(self._queue), slack_ms, self._usual_ms, self._most)):
            if batch and self._queue[0][2].alone:
                break
            batch.append(heapq.heappop(self._queue)[2])
            if batch[0].alone:
                break
        return batch

    def _answer(self, batch: Sequence[Waiting]) -> None:
        started_s = self._clock.monotonic_s()
        try:
            seen = self._see(batch)
        except Exception as error:  # noqa: BLE001 - whatever a library raises must not end the thread that answers all
            _LOG.exception("a batch of %d pictures failed", len(batch))
            failure = BackendError(f"the detector could not be run: {type(error).__name__}: {error}")
            seen = [failure] * len(batch)
        took_ms = (self._clock.monotonic_s() - started_s) * 1000
        self._usual_ms += _SMOOTHING * (took_ms / len(batch) - self._usual_ms)
        for waiting, one in zip(batch, seen, strict=True):
            waited_ms = (started_s - waiting.asked_s) * 1000
            waiting.on_done(_outcome(one, took_ms, waited_ms, len(batch)))


def _outcome(seen: Seen | ElfowlError, took_ms: float, waited_ms: float, batch: int) -> Outcome:
    if isinstance(seen, ElfowlError):
        return seen
    return Inferred(
        detector=seen.detector,
        detections=tuple(seen.detections),
        inference_ms=took_ms,
        waited_ms=waited_ms,
        batch=batch,
    )


def _too_late(waited_s: float) -> BusyError:
    message = f"the picture waited {waited_s * 1000:.0f} ms, longer than its deadline"
    return BusyError(message, retry_after_s=1.0)
