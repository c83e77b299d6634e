"""Who calls, and whether they may do what they ask for: accounts, API tokens, the server's access token.

Decided before anything of the request's body is read.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Final, cast

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from cloud.accounts.caller import BY_ACCESS_TOKEN, OPEN_DOOR, Caller
from cloud.accounts.credentials import is_csrf_of
from cloud.accounts.roles import Access, access_of, is_at_least, least_role
from cloud.actions.accounts import AccountDesk
from cloud.api.problems import UnauthorizedError
from cloud.errors import DeniedError
from cloud.settings import Settings

PREFIX: Final = "/api/v1"
ACCESS_COOKIE: Final = "elfowl_access"
CSRF_HEADER: Final = "X-Elfowl-Csrf"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CALLER: Final = "elfowl.caller"
_OPEN_PATHS: Final = ("/tuf/", "/login", "/setup", "/static/")


class FirstStartError(UnauthorizedError):
    """Nobody has an account yet, and a person opened a page: somebody has to make the first one."""


def session_cookie(settings: Settings) -> str:
    """Return the name of the session's cookie; browsers do not keep cookies of different ports apart."""
    return f"elfowl_session_{settings.port}"


def cookie_value(token: str) -> str:
    """Return what the access token's cookie holds: a digest, so that no browser stores the token itself."""
    return hashlib.sha256(b"elfowl-cookie\0" + token.encode()).hexdigest()


def cookie_of(headers: Headers, name: str) -> str | None:
    """Return a cookie of a request."""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def needed(scope: Scope) -> Access:
    """Return what a request needs; pages show nothing by themselves, so every role may open them."""
    path, method = str(scope["path"]), _method(scope)
    if path.startswith(f"{PREFIX}/"):
        return access_of(method, path.removeprefix(PREFIX))
    if path.startswith(_OPEN_PATHS):
        return "anybody"
    return "viewer" if method in SAFE_METHODS else "owner"


async def admit(scope: Scope, settings: Settings, *, is_local: bool) -> Caller | None:
    """Return who calls, none where that does not matter.

    Args:
        scope: The request.
        settings: Of the server.
        is_local: Only this machine can reach the server.

    Raises:
        UnauthorizedError: Nobody knows who calls.
        DeniedError: The caller may not do this.
    """
    access = needed(scope)
    if access == "anybody":
        return None
    headers = Headers(scope=scope)
    caller = _by_access_token(headers, settings.access_token)
    if caller is None and settings.accounts == "off":
        caller = _without_accounts(headers, settings)
    if caller is None:
        desk = cast("AccountDesk", scope["app"].state.services.people)
        caller = await run_in_threadpool(_by_account, scope, headers, settings, desk, is_local)
    _refuse_low_role(caller, access)
    return caller


def note_caller(scope: Scope, caller: Caller | None) -> None:
    """Let the routes know who calls."""
    scope[_CALLER] = caller


def caller_of(request: HTTPConnection) -> Caller:
    """Return who calls a route that the door let somebody through to."""
    caller = request.scope.get(_CALLER)
    return caller if isinstance(caller, Caller) else OPEN_DOOR


def is_forwarded(headers: Headers) -> bool:
    """Return whether a request came through another server, so that it may be of anybody."""
    return any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))


def _without_accounts(headers: Headers, settings: Settings) -> Caller:
    if settings.access_token is None:
        return OPEN_DOOR
    if _has_access_cookie(headers, settings.access_token):
        return BY_ACCESS_TOKEN
    message = "send 'Authorization: Bearer <ELFOWL_ACCESS_TOKEN>', or log in at /login"
    raise UnauthorizedError(message)


def _by_account(
    scope: Scope, headers: Headers, settings: Settings, desk: AccountDesk, is_local: bool
) -> Caller:
    if not desk.is_set_up():
        if is_local and settings.access_token is None and _is_page(scope, headers):
            message = "nobody has an account yet; make the first one at /setup"
            raise FirstStartError(message)
        return _without_accounts(headers, settings)
    bearer = _bearer(headers)
    if bearer is not None:
        caller = desk.caller_of_token(bearer)
        if caller is None:
            message = "this API token is wrong, expired or revoked; make one on the page Settings"
            raise UnauthorizedError(message)
        return caller
    session_id = cookie_of(headers, session_cookie(settings))
    caller = None if session_id is None else desk.caller_of_session(session_id)
    if session_id is None or caller is None:
        message = "log in at /login, or send 'Authorization: Bearer <API token>' (page Settings)"
        raise UnauthorizedError(message)
    if _method(scope) not in {*SAFE_METHODS, "WS"} and not is_csrf_of(
        headers.get(CSRF_HEADER, ""), session_id
    ):
        message = f"the header {CSRF_HEADER} is missing or of another session; load the page again"
        raise DeniedError(message)
    return caller


def _refuse_low_role(caller: Caller, access: Access) -> None:
    least = least_role(access)
    if not is_at_least(caller.role, least):
        who = caller.name or "this token"
        message = f"{who!r} is a {caller.role}; this needs a role of {least}: ask an owner"
        raise DeniedError(message)


def _by_access_token(headers: Headers, token: str | None) -> Caller | None:
    given = _bearer(headers)
    if token is None or given is None or not hmac.compare_digest(given.encode(), token.encode()):
        return None
    return BY_ACCESS_TOKEN


def _has_access_cookie(headers: Headers, token: str) -> bool:
    value = cookie_of(headers, ACCESS_COOKIE)
    return value is not None and hmac.compare_digest(value.encode(), cookie_value(token).encode())


def _bearer(headers: Headers) -> str | None:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return given.strip() if scheme.lower() == "bearer" and given.strip() else None


def _method(scope: Scope) -> str:
    return "WS" if scope["type"] == "websocket" else str(scope["method"])


def _is_page(scope: Scope, headers: Headers) -> bool:
    """Return whether a person opened a page of ours in a browser."""
    is_ours = not str(scope["path"]).startswith((PREFIX, "/docs", "/openapi.json"))
    return is_ours and scope["type"] == "http" and "text/html" in headers.get("accept", "")
