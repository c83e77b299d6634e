"""A way through to a port on this machine that can be made bad: for faults between two real processes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from typing import Literal, Self

Mode = Literal["pass", "abort", "swallow", "slow", "errors"]

_CHUNK_BYTES = 65_536
_SLOW_BYTES = 20
_SLOW_S = 1.0
_ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Proxies:
    """The thread in which all proxies run; use as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def open(self, target_port: int, tls: ssl.SSLContext | None = None) -> Proxy:
        """Return a new way to a port; with `tls`, callers speak TLS and the target does not."""
        proxy = Proxy(self._loop, target_port, tls)
        asyncio.run_coroutine_threadsafe(proxy.listen(), self._loop).result(5)
        return proxy


class Proxy:
    """One way.

    Modes:
        pass: Everything goes through.
        abort: Connections are cut, new ones too.
        swallow: Connections that stand give nothing any more, and are not closed; new ones are good.
        slow: Some bytes a second.
        errors: HTTP requests are answered with 500.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, target_port: int, tls: ssl.SSLContext | None) -> None:
        self._loop = loop
        self._target_port = target_port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._mode: Mode = "pass"
        self.port = 0

    def be(self, mode: Mode) -> None:
        """Change; from any thread."""
        self._loop.call_soon_threadsafe(self._be, mode)

    def cut(self) -> None:
        """Cut all connections now."""
        self._loop.call_soon_threadsafe(self._cut)

    def show(self, tls: ssl.SSLContext) -> None:
        """Go on with another certificate, on new connections."""

        async def again() -> None:
            self._tls = tls
            self._cut()
            if self._server is not None:
                self._server.close()
            await self.listen()

        asyncio.run_coroutine_threadsafe(again(), self._loop).result(5)

    async def listen(self) -> None:
        """Begin to listen; the port stays the same."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def _be(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "swallow":
            self._swallowed = set(self._open)
        elif mode in {"abort", "errors"}:
            self._cut()

    def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            if self._mode == "abort":
                writer.transport.abort()
            elif self._mode == "errors":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(_ERROR)
                await writer.drain()
            else:
                await self._join(reader, writer)
        writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        ours = {writer, back}
        self._open |= ours
        try:
            ways = [
                asyncio.ensure_future(self._pump(reader, back)),
                asyncio.ensure_future(self._pump(there, writer)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._open -= ours
            self._swallowed -= ours
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES if self._mode != "slow" else _SLOW_BYTES):
            if writer in self._swallowed:
                continue
            writer.write(data)
            await writer.drain()
            if self._mode == "slow":
                await asyncio.sleep(_SLOW_S)
