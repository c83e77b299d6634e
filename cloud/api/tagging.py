"""ETags: ASGI middleware, so that pages get only what changed, and nobody changes what they did not see.

The tag is a digest of the JSON that GET answers. `If-None-Match` on GET gives 304 while nothing changed;
`If-Match` on PUT, PATCH and DELETE gives 412 when it did: it is compared with what GET of the same address
says now.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.door import PREFIX
from cloud.api.problems import problem

_CHANGING: Final = frozenset({"PUT", "PATCH", "DELETE"})
# Devices have versions of their own, and what is about sessions stays out of every cache.
_LEFT_OUT: Final = tuple(f"{PREFIX}{path}" for path in ("/device/", "/offload", "/me", "/door", "/uploads/"))
_KEPT: Final = frozenset({b"host", b"cookie", b"authorization", b"accept"})


class Tagging:
    """Tags what GET answers, and compares."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its answer tagged or its tag compared."""
        if not _is_ours(scope):
            await self._app(scope, receive, send)
        elif scope["method"] == "GET":
            await self._app(scope, receive, _Tagger(send, Headers(scope=scope).get("if-none-match")))
        elif scope["method"] in _CHANGING and "if-match" in Headers(scope=scope):
            # Of two who saw the same, one is first: nothing may come between comparing and changing.
            async with self._alone(str(scope["path"])):
                await self._change(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _change(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = Headers(scope=scope)["if-match"]
        tag = await self._tag_of(scope)
        if tag is None:
            words = "If-Match: there is nothing at this address that has an ETag; leave the header out"
        elif wanted.strip() == "*" or tag in _tags(wanted):
            await self._app(scope, receive, send)
            return
        else:
            words = "this was changed since you loaded it; load it again, and then change it"
        await problem(412, words)(scope, receive, send)

    async def _tag_of(self, scope: Scope) -> str | None:
        """Return the tag that GET of the same address has now."""
        headers = [(name, value) for name, value in scope["headers"] if name in _KEPT]
        asked = {**scope, "method": "GET", "headers": headers, "query_string": b""}
        found: list[str | None] = []

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def take(message: Message) -> None:
            if message["type"] == "http.response.start":
                found.append(Headers(raw=message["headers"]).get("etag"))

        await self._app(asked, nothing, _Tagger(take, None))
        return found[0] if found else None

    @asynccontextmanager
    async def _alone(self, path: str) -> AsyncIterator[None]:
        self._waiting[path] = self._waiting.get(path, 0) + 1
        try:
            async with self._locks.setdefault(path, asyncio.Lock()):
                yield
        finally:
            self._waiting[path] -= 1
            if not self._waiting[path]:
                del self._waiting[path], self._locks[path]


class _Tagger:
    """Takes the place of `send`: holds JSON back until it is whole, tags it, and says 304 where it may."""

    def __init__(self, send: Send, known: str | None) -> None:
        self._send = send
        self._known = known
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_taggable(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start, bytes(self._body))

    async def _finish(self, start: Message, body: bytes) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["etag"] = tag
        headers.setdefault("cache-control", "private, no-cache")
        status = start["status"]
        if self._known is not None and (self._known.strip() == "*" or tag in _tags(self._known)):
            status, body = 304, b""
            del headers["content-length"], headers["content-type"]
        await self._send({**start, "status": status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _is_ours(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    path = str(scope["path"])
    return path.startswith(f"{PREFIX}/") and not path.startswith(_LEFT_OUT)


def _is_taggable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_json = headers.get("content-type", "").startswith("application/json")
    return start["status"] == 200 and is_json and "etag" not in headers and "content-length" in headers


def _tags(header: str) -> set[str]:
    return {part.strip().removeprefix("W/") for part in header.split(",")}
