"""One thread that looks for all streams of a worker: who asks waits for its turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from edge_agent.clock import Clock
from edge_agent.errors import BackendError, ElfowlError

AskT = TypeVar("AskT")
AnswerT = TypeVar("AnswerT")

_WINDOW_S = 10.0


@dataclass(frozen=True)
class _Asked(Generic[AskT, AnswerT]):
    question: AskT
    answer: Future[AnswerT]
    asked_s: float


@dataclass(frozen=True)
class _Looked:
    """When it looked, and how long the questions had waited for that, in the mean."""

    began_s: float
    ended_s: float
    waited_s: float


class Turns(Generic[AskT, AnswerT]):
    """Answers in the order of asking; what came while it looked is looked at together, if that is quicker.

    More threads that run networks would only slow each other down.
    """

    def __init__(
        self, see: Callable[[Sequence[AskT]], Sequence[AnswerT | ElfowlError]], clock: Clock, *, most: int
    ) -> None:
        """Start; `see` is called in this thread only, with at most `most` questions."""
        self._see, self._clock, self._most = see, clock, most
        self._changed = threading.Condition()
        self._waiting: deque[_Asked[AskT, AnswerT]] = deque()
        self._closing = False
        self._looks: deque[_Looked] = deque()
        self._began_s = clock.monotonic_s()
        self._thread = threading.Thread(target=self._run, name="look", daemon=True)
        self._thread.start()

    def ask(self, question: AskT) -> AnswerT:
        """Return the answer, once it is this question's turn.

        Raises:
            ElfowlError: There is no answer; why.
        """
        future: Future[AnswerT] = Future()
        with self._changed:
            if self._closing:
                message = "the worker is being stopped"
                raise BackendError(message)
            self._waiting.append(_Asked(question, future, self._clock.monotonic_s()))
            self._changed.notify()
        return future.result()

    def busy(self) -> float:
        """Return which share of the last seconds went into looking."""
        now_s = self._clock.monotonic_s()
        since_s = max(self._began_s, now_s - _WINDOW_S)
        with self._changed:
            recent = [one for one in self._looks if one.ended_s > since_s]
        spent_s = sum(one.ended_s - max(one.began_s, since_s) for one in recent)
        return spent_s / max(now_s - since_s, 1e-3)

    def lag_s(self) -> float:
        """Return how long questions waited for their turn of late, in the mean, and the oldest by now."""
        now_s = self._clock.monotonic_s()
        with self._changed:
            oldest_s = now_s - self._waiting[0].asked_s if self._waiting else 0.0
            recent = [one.waited_s for one in self._looks if one.ended_s > now_s - _WINDOW_S]
        return max(oldest_s, sum(recent) / max(1, len(recent)))

    def close(self) -> None:
        """Answer nobody any more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting)
                count = len(self._waiting) if self._closing else min(len(self._waiting), self._most)
                batch = [self._waiting.popleft() for _ in range(count)]
            if self._closing:
                for asked in batch:
                    asked.answer.set_exception(BackendError("the worker is being stopped"))
                return
            self._answer(batch)

    def _answer(self, batch: Sequence[_Asked[AskT, AnswerT]]) -> None:
        begun_s = self._clock.monotonic_s()
        answers: Sequence[AnswerT | ElfowlError]
        try:
            answers = self._see([asked.question for asked in batch])
        except ElfowlError as error:
            answers = [error] * len(batch)
        except Exception as error:  # noqa: BLE001 - whatever a library raises must not end the thread of all
            failure = BackendError(f"the detector could not be run: {type(error).__name__}: {error}")
            answers = [failure] * len(batch)
        waited_s = begun_s - sum(asked.asked_s for asked in batch) / len(batch)
        self._note(_Looked(begun_s, self._clock.monotonic_s(), waited_s))
        for asked, answer in zip(batch, answers, strict=True):
            if isinstance(answer, ElfowlError):
                asked.answer.set_exception(answer)
            else:
                asked.answer.set_result(answer)

    def _note(self, looked: _Looked) -> None:
        with self._changed:
            self._looks.append(looked)
            while self._looks[0].ended_s < looked.ended_s - _WINDOW_S:
                self._looks.popleft()
