"""A small client of the cloud's HTTP API, for the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from cloud.errors import BusyError, ConflictError, DeniedError, InputError, NotFoundError
from edge_agent.errors import ElfowlError, LinkError, ProtocolError

_TIMEOUT_S = 60.0
_ERRORS: dict[int, type[ElfowlError]] = {
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: InputError,
    422: InputError,
}


class CloudClient:
    """Speaks to a running cloud; every method raises an `ElfowlError` with the server's own words.

    Raises:
        InputError: The address is none.
    """

    def __init__(
        self, url: str, *, token: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            base_url = httpx.URL(url.rstrip("/") + "/api/v1")
        except httpx.InvalidURL as error:
            message = f"--url {url}: {error}; write it like http://127.0.0.1:8420"
            raise InputError(message) from error
        if base_url.scheme not in {"http", "https"} or not base_url.host:
            message = f"--url {url}: is no address; write it like http://127.0.0.1:8420"
            raise InputError(message)
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT_S, transport=transport)

    def get(self, path: str, **query: str | float) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at `path`."""
        return self._json("GET", path, params=query)

    def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send JSON and return the answer."""
        return self._json("POST", path, json=body)

    def put(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """Replace what is at `path` and return the answer."""
        return self._json("PUT", path, json=body)

    def delete(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Remove what is at `path` and return the answer."""
        return self._json("DELETE", path)

    def upload(self, path: str, *files: Path) -> Any:  # noqa: ANN401 - JSON
        """Send files as parts of one form and return the answer."""
        try:
            with contextlib.ExitStack() as stack:
                parts = [("file", (file.name, stack.enter_context(file.open("rb")))) for file in files]
                return self._json("POST", path, files=parts, timeout=None)
        except OSError as error:
            message = f"{error.filename}: {error.strerror or error}"
            raise InputError(message) from error

    def download(self, path: str) -> Iterator[bytes]:
        """Yield the bytes at `path` in parts."""
        try:
            with self._http.stream("GET", path) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error_of(answer)
                yield from answer.iter_bytes(1 << 20)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _json(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 - passed on to httpx
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if answer.is_error:
            raise _error_of(answer)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            message = f"{answer.url}: the answer is not JSON; is this an elfowl cloud?"
            raise ProtocolError(message) from error

    def _unreachable(self, error: httpx.HTTPError) -> LinkError:
        return LinkError(
            f"{self._http.base_url}: {error or type(error).__name__}; is `elfowl-cloud serve` running?"
        )


def _error_of(answer: httpx.Response) -> ElfowlError:
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{answer.url}: HTTP {answer.status_code}"
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return BusyError(detail, retry_after_s=float(answer.headers.get("Retry-After", 1)))
    return _ERRORS.get(answer.status_code, ProtocolError)(detail)
