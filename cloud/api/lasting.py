"""What goes on for long (WebSockets, live pictures, server-sent events) ends soon after its session does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOK_S: Final = 2.0
SESSION_OVER: Final = 4401
_STREAMS: Final = (".mjpeg", "/events")

StillAllowed = Callable[[], Awaitable[bool]]


def is_lasting(scope: Scope) -> bool:
    """Return whether an answer may go on for as long as somebody listens."""
    return scope["type"] == "websocket" or str(scope["path"]).endswith(_STREAMS)


async def while_allowed(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, still_allowed: StillAllowed
) -> None:
    """Let an application answer until it ends, or until its caller may not hear it any more.

    Args:
        app: What answers.
        scope: The request.
        receive: What comes.
        send: Where the answer goes.
        still_allowed: Asked every two seconds.
    """
    line = _Line(scope["type"], receive, send)
    watching = asyncio.ensure_future(line.watch(still_allowed))
    try:
        await app(scope, line.receive, line.send)
    except (OSError, ClientDisconnect):
        if not line.over.is_set():
            raise
    finally:
        watching.cancel()
    await line.close()


class _Line:
    """Takes the place of `receive` and `send`, and is cut when it is over."""

    def __init__(self, kind: str, receive: Receive, send: Send) -> None:
        self._kind = kind
        self._receive = receive
        self._send = send
        self._is_open = False
        self.over = asyncio.Event()

    async def watch(self, still_allowed: StillAllowed) -> None:
        """Return when it is over."""
        while await still_allowed():  # noqa: ASYNC110 - a database sends no events
            await asyncio.sleep(LOOK_S)
        self.over.set()
        if self._kind == "websocket":
            with contextlib.suppress(OSError, RuntimeError):
                reason = "the session is over"
                await self._send({"type": "websocket.close", "code": SESSION_OVER, "reason": reason})

    async def receive(self) -> Message:
        """Return what comes next: that the other end is gone, once it is over."""
        coming = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self.over.wait())
        try:
            await asyncio.wait({coming, ending}, return_when=asyncio.FIRST_COMPLETED)
            if self.over.is_set():
                return {"type": f"{self._kind}.disconnect", "code": SESSION_OVER}
            return coming.result()
        finally:
            coming.cancel()
            ending.cancel()

    async def send(self, message: Message) -> None:
        """Pass a message on.

        Raises:
            OSError: It is over, as when the other end is gone.
        """
        if self.over.is_set():
            words = "the session is over"
            raise OSError(words)
        await self._send(message)
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)

    async def close(self) -> None:
        """End an answer that was cut."""
        if self.over.is_set() and self._is_open:
            await self._send({"type": "http.response.body", "body": b""})
