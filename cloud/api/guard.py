"""Who may come in: pages of this very server, and of people those whom `cloud.api.door` knows.

A page of another site that a browser has open can send requests to loopback: hence the checks of `Host`
(against names rebound to 127.0.0.1) and of `Origin` (against forged requests). Devices bring own tokens.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.accounts.caller import Caller
from cloud.accounts.workspaces import within
from cloud.api.blurring import Blurring, asking_for_whole
from cloud.api.door import PREFIX, SAFE_METHODS, FirstStartError, admit, needed, note_caller
from cloud.api.lasting import is_lasting, while_allowed
from cloud.api.problems import UnauthorizedError, problem_of
from cloud.api.room import Room
from cloud.errors import DeniedError, TooLargeError
from cloud.settings import Settings
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ConfigError, ElfowlError, StorageError

_UPLOAD_LIMIT_BYTES = 8_000_000_000
_DOCUMENT_LIMIT_BYTES = 64_000_000
_DEVICE_LIMIT_BYTES = 16_000_000
_OWN_LIMITS = tuple(f"{PREFIX}/{name}" for name in ("device/", "offload", "enrol", "health"))


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


class Guard:
    """ASGI middleware: checks every request before anything reads it."""

    def __init__(self, app: ASGIApp, settings: Settings, clock: Clock | None = None) -> None:
        self._app = app
        self._settings = settings
        self._loopback = is_loopback(settings.host)
        self._room = Room(clock or SystemClock())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it may not pass."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            self.check_origin(scope)
            # Before it is asked who calls: in a crowd a refusal must cost next to nothing.
            place = self._room.place() if _waits_in_room(scope) else None
        except ElfowlError as error:
            await _refuse(error, scope, receive, send)
            return
        if place is None:
            await self._let_in(scope, receive, send)
        else:
            with place:
                await self._let_in(scope, receive, place.noting(send))

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await admit(scope, self._settings, is_local=self._loopback)
        except ElfowlError as error:
            await _refuse(error, scope, receive, send)
            return
        note_caller(scope, caller)
        # From here on every session of the database sees what is of this workspace, whoever opens it.
        with within(None if caller is None else caller.workspace):
            await self._pass_on(caller, scope, receive, send)

    async def _pass_on(self, caller: Caller | None, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            limit_bytes = _limit_of(scope["path"])
            if _announced_bytes(scope) > limit_bytes:
                await _refuse(TooLargeError(_too_large(limit_bytes)), scope, receive, send)
                return
            receive = limited(receive, limit_bytes)
            if caller is not None and caller.role == "viewer" and needed(scope) == "blurred":
                scope, send = asking_for_whole(scope), Blurring(send)
        if caller is not None and caller.account_id is not None and is_lasting(scope):
            await while_allowed(self._app, scope, receive, send, partial(self._is_still, scope, caller))
        else:
            await self._app(scope, receive, send)

    async def _is_still(self, scope: Scope, caller: Caller) -> bool:
        """Return whether who was let in still would be: not logged out, same role, same workspace."""
        try:
            with within(None):
                return await admit(scope, self._settings, is_local=self._loopback) == caller
        except (UnauthorizedError, DeniedError):
            return False
        except StorageError:
            # A database that is busy for long ends nobody's session.
            return True

    def check_origin(self, scope: Scope) -> None:
        """Check where a request comes from.

        Raises:
            DeniedError: It comes from a page of another site.
        """
        headers = Headers(scope=scope)
        if self._loopback and not is_loopback(_host_name(headers.get("host", ""))):
            message = f"this server is for this machine only, not for host {headers.get('host', '')!r}"
            raise DeniedError(message)
        state_changing = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if state_changing and _is_foreign(headers):
            message = f"pages of {headers.get('origin', 'another site')} may not change anything here"
            raise DeniedError(message)


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
    if path.endswith(("/media", "/import")) or path.startswith("/api/v1/uploads/"):
        return _UPLOAD_LIMIT_BYTES
    if path.startswith(("/api/v1/device/", "/api/v1/offload", "/api/v1/enrol")):
        return _DEVICE_LIMIT_BYTES
    return _DOCUMENT_LIMIT_BYTES


def _waits_in_room(scope: Scope) -> bool:
    """Return whether a request is a person's: cameras have limits of their own, files take their time."""
    path = str(scope["path"])
    return (
        scope["type"] == "http"
        and path.startswith(f"{PREFIX}/")
        and not path.startswith(_OWN_LIMITS)
        and _limit_of(path) != _UPLOAD_LIMIT_BYTES
    )


def _host_name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def _is_foreign(headers: Headers) -> bool:
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


async def _refuse(error: ElfowlError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4403})
        return
    answer: Response = problem_of(error)
    if isinstance(error, UnauthorizedError) and not scope["path"].startswith(("/api/", "/tuf/")):
        answer = Response(status_code=303, headers={"Location": _way_in(error, scope)})
    await answer(scope, receive, send)


def _way_in(error: UnauthorizedError, scope: Scope) -> str:
    """Return where somebody without a session goes first; browsers are led back from there."""
    if isinstance(error, FirstStartError):
        return "/setup"
    if scope["path"] == "/" or "text/html" not in Headers(scope=scope).get("accept", ""):
        return "/login"
    query = scope.get("query_string", b"").decode("ascii", "replace")
    return "/login?next=" + quote(scope["path"] + (f"?{query}" if query else ""), safe="/")
