"""One thread that looks for all streams of a worker: who asks waits for its turn."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from edge_agent.clock import Clock
from edge_agent.errors import BackendError, ElfowlError

AskT = TypeVar("AskT")
AnswerT = TypeVar("AnswerT")

_WINDOW_S = 10.0


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
        self._waiting: deque[tuple[AskT, Future[AnswerT]]] = deque()
        self._closing = False
        self._looks: deque[tuple[float, float]] = deque()
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
            self._waiting.append((question, future))
            self._changed.notify()
        return future.result()

    def busy(self) -> float:
        """Return which share of the last seconds went into looking."""
        now_s = self._clock.monotonic_s()
        since_s = max(self._began_s, now_s - _WINDOW_S)
        with self._changed:
            spent_s = sum(end_s - max(begin_s, since_s) for begin_s, end_s in self._looks if end_s > since_s)
        return spent_s / max(now_s - since_s, 1e-3)

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
                for _, future in batch:
                    future.set_exception(BackendError("the worker is being stopped"))
                return
            self._answer(batch)

    def _answer(self, batch: Sequence[tuple[AskT, Future[AnswerT]]]) -> None:
        begun_s = self._clock.monotonic_s()
        answers: Sequence[AnswerT | ElfowlError]
        try:
            answers = self._see([question for question, _ in batch])
        except ElfowlError as error:
            answers = [error] * len(batch)
        except Exception as error:  # noqa: BLE001 - whatever a library raises must not end the thread of all
            failure = BackendError(f"the detector could not be run: {type(error).__name__}: {error}")
            answers = [failure] * len(batch)
        self._note(begun_s, self._clock.monotonic_s())
        for (_, future), answer in zip(batch, answers, strict=True):
            if isinstance(answer, ElfowlError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _note(self, begun_s: float, ended_s: float) -> None:
        with self._changed:
            self._looks.append((begun_s, ended_s))
            while self._looks and self._looks[0][1] < ended_s - _WINDOW_S:
                self._looks.popleft()
