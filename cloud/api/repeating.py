"""Requests that may come twice: ASGI middleware for the header Idempotency-Key on POST.

The answer is kept for a day; the same request gets it again and nothing happens twice. Left out are routes
whose answers hold secrets, which nobody shall find in the database, and what devices send.
"""

from __future__ import annotations

import hashlib
from typing import Final, cast

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.door import PREFIX, caller_of
from cloud.api.problems import problem
from cloud.api.services import Services
from cloud.store import answered
from cloud.store.account_tables import AnsweredRow

_HEADER: Final = "idempotency-key"
_LEFT_OUT: Final = tuple(
    f"{PREFIX}{path}" for path in ("/login", "/setup", "/me/", "/enrol", "/offload", "/device/", "/accounts")
)
_MOST_CHARS: Final = 200
_MOST_BYTES: Final = 16_000_000


class Repeating:
    """Takes a request with a key once, however often it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or give the answer that it had before."""
        key = _key_of(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        body = await _whole(receive) if _announced(scope) <= _MOST_BYTES else None
        if body is None or not 0 < len(key) <= _MOST_CHARS:
            words = (
                f"a request with an Idempotency-Key (1 to {_MOST_CHARS} signs) may have "
                f"{_MOST_BYTES / 1e6:.0f} MB; larger files are the same by their content, and need no key"
            )
            await problem(422, words)(scope, receive, send)
            return
        await self._answer(scope, _replayed(body), send, key, body)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, key: str, body: bytes) -> None:
        services = cast("Services", scope["app"].state.services)
        digest, body_sha256 = _digest(scope, key), hashlib.sha256(body).hexdigest()
        known = await run_in_threadpool(_begin, services, digest, body_sha256)
        if known is not None:
            await self._again(known, body_sha256, scope, receive, send)
            return
        self._under_way.add(digest)
        keeper = _Keeper(send)
        try:
            await self._app(scope, receive, keeper)
        finally:
            await run_in_threadpool(_end, services, digest, keeper)
            self._under_way.discard(digest)

    async def _again(
        self, known: AnsweredRow, body_sha256: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if known.body_sha256 != body_sha256:
            words = "this Idempotency-Key was used for another request; take a new one for each"
            await problem(422, words)(scope, receive, send)
        elif known.status is not None:
            await _send_again(known, send)
        elif known.digest in self._under_way:
            words = "the first request with this Idempotency-Key is still being answered; ask again"
            await problem(409, words, {"Retry-After": "1"})(scope, receive, send)
        else:
            words = (
                "the server stopped while it answered the first request with this Idempotency-Key; look "
                "whether it was done, and take a new key"
            )
            await problem(409, words)(scope, receive, send)


class _Keeper:
    """Takes the place of `send`: passes an answer on, and remembers it when it is worth it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.headers = Headers()
        self.body = bytearray()
        self.is_whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], Headers(raw=message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.is_whole = not message.get("more_body", False)
        await self._send(message)


def _key_of(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path = str(scope["path"])
    if not path.startswith(f"{PREFIX}/") or path.startswith(_LEFT_OUT):
        return None
    return Headers(scope=scope).get(_HEADER)


def _announced(scope: Scope) -> int:
    announced = Headers(scope=scope).get("content-length", "0")
    return int(announced) if announced.isdecimal() else 0


async def _whole(receive: Receive) -> bytes | None:
    """Return the body of a request; none when it is too large, or cut."""
    body = bytearray()
    while len(body) <= _MOST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
    return None


def _replayed(body: bytes) -> Receive:
    messages = iter(({"type": "http.request", "body": body, "more_body": False},))

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


def _digest(scope: Scope, key: str) -> str:
    caller = caller_of(HTTPConnection(scope))
    query = scope.get("query_string", b"").decode("latin-1")
    parts = (caller.account_id or caller.how, caller.workspace, str(scope["path"]), query, key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _begin(services: Services, digest: str, body_sha256: str) -> AnsweredRow | None:
    with services.database.write(durable=True) as session:
        return answered.begin(session, digest, body_sha256, now_s=services.clock.now_s())


def _end(services: Services, digest: str, keeper: _Keeper) -> None:
    with services.database.write(durable=True) as session:
        if keeper.status is None or keeper.status >= 400 or not keeper.is_whole:
            # Nothing came of it: it may be tried again with the same key.
            answered.forget(session, digest)
            return
        answered.keep(
            session,
            digest,
            status=keeper.status,
            content_type=keeper.headers.get("content-type"),
            location=keeper.headers.get("location"),
            body=bytes(keeper.body),
        )


async def _send_again(known: AnsweredRow, send: Send) -> None:
    told = {"content-type": known.content_type, "location": known.location, "idempotency-replayed": "true"}
    headers = [(name.encode(), value.encode("latin-1")) for name, value in told.items() if value is not None]
    body = known.body or b""
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": known.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
