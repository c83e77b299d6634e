"""Errors as problem documents (RFC 9457): one line that says what, where and what to do."""

from __future__ import annotations

import errno
import http
import logging
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from cloud.errors import (
    AwayError,
    BusyError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    QuotaError,
    TooLargeError,
    TrainingError,
)
from edge_agent.errors import ElfowlError, LinkError, StorageError

_LOG = logging.getLogger(__name__)
_STATUS: tuple[tuple[type[ElfowlError], int], ...] = (
    (InputError, 422),
    (TrainingError, 422),
    (NotFoundError, 404),
    (ConflictError, 409),
    (DeniedError, 403),
    (TooLargeError, 413),
    (QuotaError, 429),
    (BusyError, 503),
    (AwayError, 503),
    (StorageError, 507),
    (LinkError, 502),
)
_AWAY_S = 5
# Of tus; HTTP knows none.
_TITLES = {460: "Checksum Mismatch"}


class UnauthorizedError(ElfowlError):
    """The caller did not say who it is, or not so that it can be believed (HTTP 401)."""


class PreconditionError(ElfowlError):
    """What the caller takes for granted does not hold (HTTP 412)."""


def status_of(error: ElfowlError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, UnauthorizedError):
        return 401
    if isinstance(error, PreconditionError):
        return 412
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem document."""
    body = {
        "type": "about:blank",
        "title": _TITLES.get(status) or http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def problem_of(error: ElfowlError) -> JSONResponse:
    """Return the problem document of an error."""
    headers = {}
    if isinstance(error, BusyError):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if isinstance(error, AwayError):
        headers["Retry-After"] = str(_AWAY_S)
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(status_of(error), str(error), headers)


def add_handlers(app: FastAPI, nothing_here: Callable[[Request], Response]) -> None:
    """Make every error of `app` a problem document.

    By coroutines: the framework sends plain functions to another thread, and a refusal must cost little.

    Args:
        app: The application.
        nothing_here: The page for a person whose browser asks for an address that there is not.
    """

    @app.exception_handler(ElfowlError)
    async def _ours(_request: Request, error: ElfowlError) -> JSONResponse:
        # A refusal for want of room is no fault, and a crowd of them would fill the log.
        is_fault = status_of(error) >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        if is_fault and not isinstance(error, BusyError):
            _LOG.error("%s", error)
        return problem_of(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == http.HTTPStatus.NOT_FOUND and _is_a_person(request):
            return nothing_here(request)
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, _first_line(error))

    @app.exception_handler(OSError)
    async def _disk(_request: Request, error: OSError) -> JSONResponse:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise error
        return problem(507, "no space left on the disk; free some, nothing stored before is lost")


def _is_a_person(request: Request) -> bool:
    """Return whether a browser asks for a page: programs take anything, and name no HTML."""
    asks_for_page = "text/html" in request.headers.get("accept", "")
    return asks_for_page and request.method == "GET" and not request.url.path.startswith("/api/")


def _first_line(error: RequestValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return f"{where}: {first['msg']}" if where else str(first["msg"])
