"""The service's side of one worker: a connection with many questions under way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from itertools import count
from pathlib import Path
from typing import Protocol

from cloud.cache.figures import TierFigures
from cloud.offload.protocol import Answer, Ask, packed, read_message
from edge_agent.clock import Clock
from edge_agent.wire.base import WHOLE, XyxyNorm

_LOG = logging.getLogger(__name__)
_KNOCK_S = 0.02


class LinkLostError(Exception):
    """The worker went away before it answered; another one may."""


class Link(Protocol):
    """The service's side of one worker, wherever it runs."""

    @property
    def is_up(self) -> bool:
        """Return whether it can be asked."""
        ...

    @property
    def under_way(self) -> int:
        """Return how many questions wait for their answers."""
        ...

    @property
    def silent_s(self) -> float:
        """Return for how long the worker owes an answer without having said anything."""
        ...

    def start(self, changed: asyncio.Event) -> None:
        """Begin to reach it; `changed` is set whenever it comes up."""
        ...

    async def stop(self) -> None:
        """Reach it no longer."""
        ...

    def tell(self, folder: Path) -> None:
        """Let it get a detector ready."""
        ...

    async def ask(
        self, folder: Path, jpeg: bytes, left_ms: float, *, alone: bool, part: XyxyNorm = WHOLE
    ) -> Answer:
        """Return its answer to one picture.

        Raises:
            LinkLostError: It is not there, or went away meanwhile.
        """
        ...

    async def figures(self) -> tuple[TierFigures, ...]:
        """Return what happened in its model cache.

        Raises:
            LinkLostError: As `ask`.
        """
        ...


class Talk:
    """One connection to a worker, with many questions under way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock) -> None:
        """Begin; answers come as long as `listen` runs."""
        self._reader, self._writer, self._clock = reader, writer, clock
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._heard_s = clock.monotonic_s()

    @property
    def under_way(self) -> int:
        """Return how many questions wait for their answers."""
        return len(self._waiting)

    @property
    def silent_s(self) -> float:
        """Return for how long the worker owes an answer without having said anything."""
        return self._clock.monotonic_s() - self._heard_s if self._waiting else 0.0

    def tell(self, ask: Ask) -> None:
        """Say something that nobody waits for."""
        self._writer.write(packed(ask.model_copy(update={"number": 0})))

    async def ask(self, ask: Ask, payload: bytes = b"") -> Answer:
        """Return the worker's answer to a question.

        Raises:
            LinkLostError: The worker went away meanwhile.
        """
        number = next(self._numbers)
        if not self._waiting:
            self._heard_s = self._clock.monotonic_s()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(packed(ask.model_copy(update={"number": number}), payload))
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def listen(self) -> None:
        """Take answers until the worker goes away; whoever waits then is told.

        Raises:
            asyncio.IncompleteReadError: It went away.
            ConnectionError: As well.
            ValueError: What it says is no answer.
        """
        try:
            while True:
                document, _ = await read_message(self._reader)
                self._heard_s = self._clock.monotonic_s()
                answer = Answer.model_validate_json(document)
                waiting = self._waiting.get(answer.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(LinkLostError())


class WorkerLink:
    """Connects as soon as there is somebody to connect to, again and again."""

    def __init__(self, socket_path: Path, clock: Clock) -> None:
        self._socket_path = socket_path
        self._clock = clock
        self._talk: Talk | None = None
        self._task: asyncio.Task[None] | None = None
        self.changed = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Return whether a worker listens."""
        return self._talk is not None

    @property
    def under_way(self) -> int:
        """Return how many questions wait for their answers."""
        return 0 if self._talk is None else self._talk.under_way

    @property
    def silent_s(self) -> float:
        """Return for how long the worker owes an answer without having said anything."""
        return 0.0 if self._talk is None else self._talk.silent_s

    def start(self, changed: asyncio.Event) -> None:
        """Begin to connect; `changed` is set whenever the link comes up."""
        self.changed = changed
        self._task = asyncio.get_running_loop().create_task(self._keep_connected())

    async def stop(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def tell(self, folder: Path) -> None:
        """Let the worker get a detector ready; one that is not there yet finds it by itself."""
        if self._talk is not None:
            self._talk.tell(Ask(number=0, kind="load", folder=folder))

    async def ask(
        self, folder: Path, jpeg: bytes, left_ms: float, *, alone: bool, part: XyxyNorm = WHOLE
    ) -> Answer:
        """Return the worker's answer to one picture.

        Raises:
            LinkLostError: The worker is not there, or went away meanwhile.
        """
        ask = Ask(number=0, folder=folder, left_ms=left_ms, alone=alone, part=part)
        return await self._ask(ask, jpeg)

    async def figures(self) -> tuple[TierFigures, ...]:
        """Return what happened in the worker's model cache.

        Raises:
            LinkLostError: The worker is not there, or went away meanwhile.
        """
        return (await self._ask(Ask(number=0, kind="figures"))).tiers or ()

    async def _ask(self, ask: Ask, payload: bytes = b"") -> Answer:
        if self._talk is None:
            raise LinkLostError
        return await self._talk.ask(ask, payload)

    async def _keep_connected(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._socket_path)
            except OSError:
                await asyncio.sleep(_KNOCK_S)
                continue
            try:
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    await self._serve(reader, writer)
            except ValueError as error:
                _LOG.error("%s: not what a worker says: %s", self._socket_path.name, error)
            finally:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take answers until the worker goes away."""
        await read_message(reader)  # its greeting
        self._talk = Talk(reader, writer, self._clock)
        self.changed.set()
        try:
            await self._talk.listen()
        finally:
            self._talk = None
