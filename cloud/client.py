"""A small client of the cloud's HTTP API, for the command line and for scripts."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import httpx

from cloud.errors import BusyError, ConflictError, DeniedError, InputError, NotFoundError, TooLargeError
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError, LinkError, ProtocolError, StorageError

LARGE_BYTES: Final = 16_000_000
"""Files from here on are sent in parts, so that a cut costs little."""

_TIMEOUT_S = 60.0
# The last part is answered once the whole file was looked at.
_PART_TIMEOUT_S = 600.0
_PART_BYTES = 8_000_000
_WRONG_CHECKSUM = 460
_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 30.0, 30.0)
_ERRORS: dict[int, type[ElfowlError]] = {
    401: DeniedError,
    403: DeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    413: TooLargeError,
    422: InputError,
    _WRONG_CHECKSUM: LinkError,
    502: LinkError,
    507: StorageError,
}

_TUS: Final = {"Tus-Resumable": "1.0.0"}
Purpose = Literal["media", "import"]
OnSent = Callable[[float], None]


@dataclass(frozen=True)
class Sent:
    """A file that came whole: a medium with the job that prepares it, or what waits for an import."""

    upload_id: str
    media_id: str | None
    job: str | None


class CloudClient:
    """Speaks to a running cloud; every method raises an `ElfowlError` with the server's own words.

    Raises:
        InputError: The address is none.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
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

    def send(
        self,
        detector: str,
        file: Path,
        *,
        purpose: Purpose = "media",
        role: Literal["teach", "test"] = "teach",
        on_sent: OnSent = lambda _share: None,
    ) -> Sent:
        """Send a large file in parts; a cut is waited out, and what an earlier call began goes on.

        Args:
            detector: Its id or name.
            file: What to send.
            purpose: A medium at once, or part of an import that is asked for later.
            role: Of a medium.
            on_sent: Told the share that has come.

        Raises:
            InputError: It cannot be read, or is no picture or video.
            TooLargeError: It is larger than what is taken.
            StorageError: The server's disk has no room for it.
            LinkError: The cloud could not be reached for minutes.
        """
        about = _about(file, purpose, role)
        view = self._begun(detector, about) or self._begin(detector, about)
        failures = 0
        with _reading(file) as stream:
            while view["state"] == "open":
                on_sent(view["offset_bytes"] / about["length_bytes"])
                try:
                    self._send_part(view, stream)
                    failures = 0
                except (LinkError, BusyError, ConflictError) as error:
                    failures += 1
                    self._wait(failures, error, file)
                view = self._look(view)
        if view["state"] == "refused":
            raise InputError(str(view["reason"]))
        return Sent(view["id"], view["media_id"], view["job"])

    def _begin(self, detector: str, about: dict[str, Any]) -> dict[str, Any]:
        pairs = {"filename": about["name"], "modified": about["modified_ms"]}
        pairs |= {key: about[key] for key in ("purpose", "role")}
        told = ",".join(
            f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in pairs.items()
        )
        headers = {**_TUS, "Upload-Length": str(about["length_bytes"]), "Upload-Metadata": told}
        return dict(self._json("POST", f"/detectors/{detector}/uploads", headers=headers))

    def _begun(self, detector: str, about: dict[str, Any]) -> dict[str, Any] | None:
        """Return the upload of the same file that was cut earlier."""
        for view in self.get(f"/detectors/{detector}/uploads"):
            if all(view[key] == value for key, value in about.items()):
                return dict(view)
        return None

    def _send_part(self, view: dict[str, Any], stream: BinaryIO) -> None:
        stream.seek(view["offset_bytes"])
        part = stream.read(_PART_BYTES)
        checksum = base64.b64encode(hashlib.sha256(part).digest()).decode()
        headers = {
            **_TUS,
            "Upload-Offset": str(view["offset_bytes"]),
            "Upload-Checksum": f"sha256 {checksum}",
            "Content-Type": "application/offset+octet-stream",
        }
        path = f"/uploads/{view['id']}"
        self._json("PATCH", path, headers=headers, content=part, timeout=_PART_TIMEOUT_S)

    def _look(self, view: dict[str, Any]) -> dict[str, Any]:
        """Return how an upload stands; as before when the cloud cannot be asked just now."""
        with contextlib.suppress(LinkError, BusyError):
            return dict(self.get(f"/uploads/{view['id']}"))
        return view

    def _wait(self, failures: int, error: ElfowlError, file: Path) -> None:
        if failures > len(_PAUSES_S):
            message = f"{file}: {error}; send it again and it goes on where it was"
            raise LinkError(message) from error
        self._clock.sleep(_PAUSES_S[failures - 1])

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


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[BinaryIO]:
    try:
        with file.open("rb") as stream:
            yield stream
    except OSError as error:
        message = f"{file}: {error.strerror or error}"
        raise InputError(message) from error


def _about(file: Path, purpose: Purpose, role: str) -> dict[str, Any]:
    """Return by what a file is known again: what a cut upload of it tells."""
    try:
        facts = file.stat()
    except OSError as error:
        message = f"{file}: {error.strerror or error}"
        raise InputError(message) from error
    return {
        "name": file.name,
        "length_bytes": facts.st_size,
        "modified_ms": facts.st_mtime_ns // 1_000_000,
        "purpose": purpose,
        "role": role,
    }


def _error_of(answer: httpx.Response) -> ElfowlError:
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{answer.url}: HTTP {answer.status_code}"
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return BusyError(detail, retry_after_s=float(answer.headers.get("Retry-After", 1)))
    return _ERRORS.get(answer.status_code, ProtocolError)(detail)
