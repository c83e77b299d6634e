"""A connection over the network to a worker, which only takes it from who says its token."""

from __future__ import annotations

import asyncio
import contextlib

from cloud.offload.link import LinkLostError, Talk
from cloud.offload.protocol import Answer, Ask, read_message
from edge_agent.clock import Clock

_CONNECT_S = 10.0


class Line:
    """Questions and answers of one worker; opened anew after it was lost."""

    def __init__(self, token: bytes, clock: Clock) -> None:
        self._token, self._clock = token, clock
        self._talk: Talk | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether there is a connection."""
        return self._talk is not None

    async def open(self, host: str, port: int) -> None:
        """Connect.

        Raises:
            LinkLostError: Nobody is there, or it does not take the token.
        """
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(self._token)
                await read_message(reader)  # its greeting
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise LinkLostError from error
        self._talk = Talk(reader, writer, self._clock)
        self._listening = asyncio.create_task(self._listen(self._talk, writer))

    async def ask(self, ask: Ask, payload: bytes) -> Answer:
        """Return the worker's answer.

        Raises:
            LinkLostError: It is not there, or went away meanwhile.
        """
        if self._talk is None:
            raise LinkLostError
        return (await self._talk.ask(ask, payload)).model_copy(update={"number": ask.number})

    async def until_lost(self) -> None:
        """Return when there is no connection any more."""
        if self._listening is not None:
            await asyncio.wait([self._listening])

    def close(self) -> None:
        """Hang up."""
        if self._listening is not None:
            self._listening.cancel()

    async def _listen(self, talk: Talk, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await talk.listen()
        finally:
            self._talk = None
            writer.close()
