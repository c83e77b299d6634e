"""Takes questions on a socket."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from pathlib import Path
from typing import Protocol

from cloud.offload.desk import Reply
from cloud.offload.protocol import GREETING, Answer, Ask, packed, read_message

_TOKEN_S = 10.0


class Takes(Protocol):
    """What takes questions; see `cloud.offload.desk.Desk`."""

    def take(self, ask: Ask, payload: bytes, reply: Reply) -> None:
        """Take a question; returns before it is answered. `reply` may be called in any thread."""
        ...


class Connection:
    """One service that asks; many questions at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, desk: Takes) -> None:
        self._reader, self._writer, self._desk = reader, writer, desk
        self._loop = asyncio.get_running_loop()

    async def serve(self) -> None:
        """Greet, then take questions until the service goes away."""
        self._writer.write(packed(GREETING))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                document, payload = await read_message(self._reader)
                self._desk.take(Ask.model_validate_json(document), payload, self._reply)
        self._writer.close()

    def _reply(self, answer: Answer) -> None:
        # The loop may be closed when the process is told to end.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._writer.write, packed(answer))


async def open_port(host: str, token: bytes, desk: Takes) -> asyncio.Server:
    """Take questions at a free port of this machine, from those who know a token and say it first."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            async with asyncio.timeout(_TOKEN_S):
                said = await reader.readexactly(len(token))
            if hmac.compare_digest(said, token):
                await Connection(reader, writer, desk).serve()
        writer.close()

    return await asyncio.start_server(connected, host, 0)


async def listen(socket_path: Path, desk: Takes) -> None:
    """Take questions on a socket until cancelled; whoever is connected then is hung up on."""
    writers: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        await Connection(reader, writer, desk).serve()
        writers.discard(writer)

    server = await asyncio.start_unix_server(connected, socket_path)
    try:
        # Not `serve_forever`: when cancelled, it waits until all that are connected hang up by themselves.
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        for writer in writers:
            writer.close()
