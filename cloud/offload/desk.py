"""Where a worker takes questions, from whatever they come in at, and hands answers back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from cloud.cache.figures import TierFigures
from cloud.offload.batcher import MicroBatcher, Outcome, Seen, Waiting
from cloud.offload.bringing import Bringer
from cloud.offload.protocol import Answer, Ask, Failed, Inferred
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)

Reply = Callable[[Answer], None]
"""Takes an answer, in any thread."""


class Eyes(Protocol):
    """What a worker looks with; see `cloud.offload.eyes.DetectorEyes`."""

    def see(self, batch: Sequence[Waiting]) -> Sequence[Seen | ElfowlError]:
        """Look at pictures together; one answer each. Called in one thread only."""
        ...

    def get_ready(self, folder: Path) -> None:
        """Run a detector once, for the first run is slow; in the same thread."""
        ...

    def is_ready(self, folder: Path) -> bool:
        """Tell whether a detector is in memory."""
        ...

    def bring(self, folder: Path) -> None:
        """Load a detector; in any thread."""
        ...

    def figures(self) -> Sequence[TierFigures]:
        """Return what happened in the model cache."""
        ...


class Desk:
    """Takes questions, many at once; each is replied to."""

    def __init__(self, eyes: Eyes, clock: Clock, *, most: int) -> None:
        """Begin to look; `most` pictures in one batch."""
        self._eyes, self._clock = eyes, clock
        self._batcher, self._bringer = MicroBatcher(eyes.see, clock, most=most), Bringer(eyes)

    def close(self) -> None:
        """Look at nothing more; what is under way is not waited for."""
        self._bringer.close()
        self._batcher.close()

    def take(self, ask: Ask, payload: bytes, reply: Reply) -> None:
        """Take a question; returns before it is answered."""
        if ask.kind == "figures":
            reply(Answer(number=ask.number, tiers=tuple(self._eyes.figures())))
        elif ask.kind == "load":
            self._bringer.when_up(ask.folder, partial(self._run_once, ask, reply))
        else:
            self._look(ask, payload, reply)

    def _run_once(self, ask: Ask, reply: Reply, error: ElfowlError | None) -> None:
        def run() -> None:
            self._eyes.get_ready(ask.folder)
            reply(Answer(number=ask.number))

        if error is None:
            self._batcher.between(run)
        else:
            # Who asks later hears of it too.
            _LOG.warning("%s/%s cannot be loaded: %s", ask.folder.parent.name, ask.folder.name, error)
            reply(Answer(number=ask.number, failed=Failed.of(error)))

    def _look(self, ask: Ask, picture: bytes, reply: Reply) -> None:
        now_s = self._clock.monotonic_s()

        def done(outcome: Outcome) -> None:
            reply(_answer_of(ask.number, outcome))

        deadline_s = now_s + ask.left_ms / 1000
        waiting = Waiting(ask.folder, picture, now_s, deadline_s, done, alone=ask.alone, part=ask.part)

        def up(error: ElfowlError | None) -> None:
            if error is None:
                self._batcher.submit(waiting)
            else:
                done(error)

        self._bringer.when_up(ask.folder, up)


def _answer_of(number: int, outcome: Outcome) -> Answer:
    if isinstance(outcome, Inferred):
        return Answer(number=number, inferred=outcome)
    return Answer(number=number, failed=Failed.of(outcome))
