"""A process that answers offloaded pictures: `python -m cloud.offload.worker SOCKET DETECTORS`.

It listens only once it is warm, so whoever can connect is answered at full speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from cloud.cache.figures import TierFigures
from cloud.cache.plan import CachePlan
from cloud.offload.batcher import MicroBatcher, Outcome, Seen, Waiting
from cloud.offload.bringing import Bringer
from cloud.offload.protocol import (
    GREETING,
    Answer,
    Ask,
    Failed,
    Inferred,
    newest_folders,
    packed,
    read_message,
)
from cloud.processes import exit_with_parent
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError

_LOG = logging.getLogger(__name__)
_WARMED = 8
_MOST_AT_ONCE = 4


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


class Connection:
    """One service that asks; many questions at once."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        batcher: MicroBatcher,
        bringer: Bringer,
        eyes: Eyes,
        clock: Clock,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._batcher, self._bringer, self._eyes, self._clock = batcher, bringer, eyes, clock
        self._loop = asyncio.get_running_loop()

    async def serve(self) -> None:
        """Greet, then take questions until the service goes away."""
        self._writer.write(packed(GREETING))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                document, payload = await read_message(self._reader)
                self._take(Ask.model_validate_json(document), payload)
        self._writer.close()

    def _take(self, ask: Ask, payload: bytes) -> None:
        if ask.kind == "figures":
            self._writer.write(packed(Answer(number=ask.number, tiers=tuple(self._eyes.figures()))))
        elif ask.kind == "load":
            self._bringer.when_up(ask.folder, partial(self._run_once, ask.folder))
        else:
            self._look(ask, payload)

    def _run_once(self, folder: Path, error: ElfowlError | None) -> None:
        if error is None:
            self._batcher.between(partial(self._eyes.get_ready, folder))
        else:
            # Who asks later hears of it too.
            _LOG.warning("%s/%s cannot be loaded: %s", folder.parent.name, folder.name, error)

    def _look(self, ask: Ask, picture: bytes) -> None:
        now_s = self._clock.monotonic_s()

        def done(outcome: Outcome) -> None:
            answer = _answer_of(ask.number, outcome)
            # The loop may be closed when the process is told to end.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._writer.write, packed(answer))

        waiting = Waiting(ask.folder, picture, now_s, now_s + ask.left_ms / 1000, done, alone=ask.alone)

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


async def serve(socket_path: Path, eyes: Eyes, clock: Clock, *, most: int = _MOST_AT_ONCE) -> None:
    """Answer on a socket until cancelled.

    Args:
        socket_path: Where to listen.
        eyes: Look at pictures together, in a thread of their own.
        clock: Where the time comes from.
        most: Pictures in one batch.
    """
    batcher, bringer = MicroBatcher(eyes.see, clock, most=most), Bringer(eyes)
    writers: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        await Connection(reader, writer, batcher, bringer, eyes, clock).serve()
        writers.discard(writer)

    server = await asyncio.start_unix_server(connected, socket_path)
    try:
        await server.serve_forever()
    finally:
        for writer in writers:
            writer.close()
        bringer.close()
        batcher.close()


def main(socket_path: str, plan_json: str) -> None:
    """Serve on a socket until the parent ends."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from cloud.offload.eyes import DetectorEyes  # noqa: PLC0415 - torch, seconds: not for who only wants to serve

    plan = CachePlan.model_validate_json(plan_json)
    eyes = DetectorEyes.of_this_machine(plan)
    for folder in newest_folders(plan.detectors_path, _WARMED):
        eyes.get_ready(folder)
    asyncio.run(serve(Path(socket_path), eyes, SystemClock(), most=eyes.most_at_once))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
