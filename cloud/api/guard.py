"""Who may come in: on loopback only pages of this very server, elsewhere only who knows the access token.

A page of another site that a browser has open can send requests to loopback: hence the checks of `Host`
(against names rebound to 127.0.0.1) and of `Origin` (against forged requests). Devices bring own tokens.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.problems import TooLargeError, UnauthorizedError, problem_of
from cloud.errors import DeniedError
from cloud.settings import Settings
from edge_agent.errors import ConfigError, ElfowlError

COOKIE = "elfowl_access"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Devices show that they hold their own key, or a one-time token; signed metadata is for everybody.
_OPEN_PATHS = (
    "/api/v1/health",
    "/api/v1/enrol",
    "/api/v1/device/",
    "/api/v1/offload",
    "/tuf/",
    "/login",
    "/static/",
)
_UPLOAD_LIMIT_BYTES = 8_000_000_000
_DOCUMENT_LIMIT_BYTES = 64_000_000
_DEVICE_LIMIT_BYTES = 16_000_000


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_open_door(settings: Settings) -> None:
    """Refuse to listen for the whole network without an access token.

    Raises:
        ConfigError: No token is set, or one that can be guessed.
    """
    if is_loopback(settings.host):
        return
    if settings.access_token is None or len(settings.access_token) < 16:
        message = (
            f"host {settings.host} can be reached by others: set ELFOWL_ACCESS_TOKEN to a secret of at least "
            "16 signs, or listen on 127.0.0.1"
        )
        raise ConfigError(message)


def cookie_value(token: str) -> str:
    """Return what the login cookie holds: a digest, so that no browser stores the token itself."""
    return hashlib.sha256(b"elfowl-cookie\0" + token.encode()).hexdigest()


class Guard:
    """ASGI middleware: checks every request before anything reads it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._loopback = is_loopback(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it may not pass."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            self.check(scope)
        except ElfowlError as error:
            await _refuse(problem_of(error), scope, receive, send, self._wants_login(scope, error))
            return
        if scope["type"] == "http":
            limit_bytes = _limit_of(scope["path"])
            if _announced_bytes(scope) > limit_bytes:
                answer = problem_of(TooLargeError(_too_large(limit_bytes)))
                await _refuse(answer, scope, receive, send, to_login=False)
                return
            receive = limited(receive, limit_bytes)
        await self._app(scope, receive, send)

    def check(self, scope: Scope) -> None:
        """Check one request.

        Raises:
            DeniedError: It comes from a page of another site.
            UnauthorizedError: It lacks the access token.
        """
        headers = Headers(scope=scope)
        if self._loopback and not is_loopback(_host_name(headers.get("host", ""))):
            message = f"this server is for this machine only, not for host {headers.get('host', '')!r}"
            raise DeniedError(message)
        state_changing = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if state_changing and _is_foreign(headers):
            message = f"pages of {headers.get('origin', 'another site')} may not change anything here"
            raise DeniedError(message)
        token = self._settings.access_token
        if token is None or scope["path"].startswith(_OPEN_PATHS) or _knows(headers, token):
            return
        message = "send 'Authorization: Bearer <ELFOWL_ACCESS_TOKEN>', or log in at /login"
        raise UnauthorizedError(message)

    @staticmethod
    def _wants_login(scope: Scope, error: ElfowlError) -> bool:
        is_page = scope["type"] == "http" and not scope["path"].startswith(("/api/", "/tuf/"))
        return is_page and isinstance(error, UnauthorizedError)


def limited(receive: Receive, limit_bytes: int) -> Receive:
    """Return a `receive` that ends requests whose body grows beyond the limit.

    Raises:
        TooLargeError: From within the handler, which turns it into HTTP 413.
    """
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit_bytes:
            raise TooLargeError(_too_large(limit_bytes))
        return message

    return counting


def _too_large(limit_bytes: int) -> str:
    return f"the request is larger than the limit of {limit_bytes / 1e6:.0f} MB"


def _announced_bytes(scope: Scope) -> int:
    announced = Headers(scope=scope).get("content-length", "0")
    return int(announced) if announced.isdecimal() else 0


def _limit_of(path: str) -> int:
    if path.endswith(("/media", "/import")):
        return _UPLOAD_LIMIT_BYTES
    if path.startswith(("/api/v1/device/", "/api/v1/offload", "/api/v1/enrol")):
        return _DEVICE_LIMIT_BYTES
    return _DOCUMENT_LIMIT_BYTES


def _host_name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def _is_foreign(headers: Headers) -> bool:
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _knows(headers: Headers, token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and hmac.compare_digest(cookie.value, cookie_value(token))


async def _refuse(answer: Response, scope: Scope, receive: Receive, send: Send, to_login: bool) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403})
        return
    if to_login:
        answer = Response(status_code=303, headers={"Location": "/login"})
    await answer(scope, receive, send)
