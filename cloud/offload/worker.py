"""A process that answers offloaded pictures: `python -m cloud.offload.worker SOCKET DETECTORS`.

It listens only once it is warm, so whoever can connect is answered at full speed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from cloud.offload.batcher import MicroBatcher, Outcome, See, Waiting
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

_WARMED = 8
_MOST_AT_ONCE = 4


class Connection:
    """One service that asks; many questions at once."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        batcher: MicroBatcher,
        get_ready: Callable[[Path], None],
        clock: Clock,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._batcher, self._get_ready, self._clock = batcher, get_ready, clock
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
        if ask.kind == "load":
            self._batcher.between(lambda: self._get_ready(ask.folder))
            return
        now_s = self._clock.monotonic_s()

        def done(outcome: Outcome) -> None:
            answer = _answer_of(ask.number, outcome)
            # The loop may be closed when the process is told to end.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._writer.write, packed(answer))

        self._batcher.submit(
            Waiting(ask.folder, payload, now_s, now_s + ask.left_ms / 1000, done, alone=ask.alone)
        )


def _answer_of(number: int, outcome: Outcome) -> Answer:
    if isinstance(outcome, Inferred):
        return Answer(number=number, inferred=outcome)
    return Answer(number=number, failed=Failed.of(outcome))


async def serve(
    socket_path: Path,
    see: See,
    clock: Clock,
    *,
    get_ready: Callable[[Path], None] = lambda _: None,
    most: int = _MOST_AT_ONCE,
) -> None:
    """Answer on a socket until cancelled.

    Args:
        socket_path: Where to listen.
        see: Looks at pictures together, in a thread of its own.
        clock: Where the time comes from.
        get_ready: Loads a detector before it is asked, in the same thread.
        most: Pictures in one batch.
    """
    batcher = MicroBatcher(see, clock, most=most)
    writers: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        await Connection(reader, writer, batcher, get_ready, clock).serve()
        writers.discard(writer)

    server = await asyncio.start_unix_server(connected, socket_path)
    try:
        await server.serve_forever()
    finally:
        for writer in writers:
            writer.close()
        batcher.close()


def main(socket_path: str, detectors_path: str) -> None:
    """Serve on a socket until the parent ends."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from cloud.offload.eyes import Eyes  # noqa: PLC0415 - torch, seconds: not for who only wants to serve

    eyes = Eyes.of_this_machine()
    for folder in newest_folders(Path(detectors_path), _WARMED):
        eyes.get_ready(folder)
    asyncio.run(
        serve(Path(socket_path), eyes.see, SystemClock(), get_ready=eyes.get_ready, most=eyes.most_at_once)
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
