"""HTTP as updates need it: downloads that resume after any cut, never grow too long and never take for ever.

Resuming is safe because a bundle's URL holds its digest: the bytes behind it never change, and all of them
are verified in the end. Signed metadata is small and read whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import httpx
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient import FetcherInterface

from edge_agent.clock import Clock

_SYNC_EVERY_BYTES: Final = 4 << 20
_CONTENT_RANGE: Final = re.compile(r"^bytes (\d+)-\d+/(?:\d+|\*)$")


@dataclass(frozen=True)
class FetchLimits:
    """How slow is too slow: a body must have come after `grace_s` plus its length at `min_rate_bytes_s`."""

    grace_s: float = 30.0
    min_rate_bytes_s: float = 2_000.0


def open_client(ca_file: Path | None = None) -> httpx.Client:
    """Return an HTTP client with the time limits of the agent; it follows no redirects.

    Args:
        ca_file: PEM of the authority that signs the cloud's certificate; none: the public ones.
    """
    verify = True if ca_file is None else ssl.create_default_context(cafile=ca_file)
    return httpx.Client(verify=verify, timeout=httpx.Timeout(20.0, connect=10.0), follow_redirects=False)


class ResumableFetcher(FetcherInterface):
    """Fetches for `tuf.ngclient`, and bundles beside it.

    Args:
        client: Speaks HTTP.
        parts_path: Folder of unfinished downloads; on the data partition, for `/tmp` is often memory.
        clock: Where the time comes from.
        limits: How slow is too slow.
    """

    def __init__(
        self, client: httpx.Client, parts_path: Path, clock: Clock, limits: FetchLimits | None = None
    ) -> None:
        self._client = client
        self._parts_path = parts_path
        self._clock = clock
        self._limits = limits or FetchLimits()

    def part_of(self, url: str) -> Path:
        """Return where the unfinished download of a URL lies."""
        return self._parts_path / f"{hashlib.sha256(url.encode()).hexdigest()}.part"

    def fetch_file(self, url: str, length_bytes: int) -> Path:
        """Fetch a file whose length is known, going on where an earlier call was cut off.

        Parts of other downloads are removed, so that no more than one ever takes space.

        Returns:
            The whole part, on the disk but not verified; its reader moves or removes it.

        Raises:
            DownloadError: It was cut off or too slow; what came is kept.
            DownloadHTTPError: The server refused.
            DownloadLengthMismatchError: More came than `length_bytes`; nothing is kept.
            OSError: The disk is full or read-only.
        """
        part = self.part_of(url)
        part.parent.mkdir(parents=True, exist_ok=True)
        for other in part.parent.glob("*.part"):
            if other != part:
                other.unlink(missing_ok=True)
        # The second round starts from nothing: the server could not go on where we were.
        if self._fill(url, part, length_bytes) or self._fill(url, part, length_bytes):
            return part
        message = f"{url}: the server cannot give the file from its start"
        raise DownloadError(message)

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return a small file; see `FetcherInterface.download_bytes`."""
        received = bytearray()
        with self._get(url, 0) as response:
            for chunk in self._paced(response, url):
                received += chunk
                if len(received) > max_length:
                    message = f"{url} is longer than the {max_length} bytes that are allowed"
                    raise DownloadLengthMismatchError(message)
        return bytes(received)

    def _fetch(self, url: str) -> Iterator[bytes]:
        with self._get(url, 0) as response:
            yield from self._paced(response, url)

    def _fill(self, url: str, part: Path, length_bytes: int) -> bool:
        """Bring the part to its whole length; return False when it had to be thrown away."""
        have_bytes = part.stat().st_size if part.exists() else 0
        if have_bytes > length_bytes:
            part.unlink()
            have_bytes = 0
        if have_bytes == length_bytes:
            return True
        with self._get(url, have_bytes) as response:
            start_bytes = _start_of_body(response, have_bytes)
            if start_bytes is None:
                part.unlink(missing_ok=True)
                return False
            self._append(response, url, part, start_bytes, length_bytes)
        return True

    def _append(
        self, response: httpx.Response, url: str, part: Path, start_bytes: int, length_bytes: int
    ) -> None:
        have_bytes = synced_bytes = start_bytes
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.truncate(start_bytes)
            file.seek(start_bytes)
            try:
                for chunk in self._paced(response, url):
                    have_bytes += len(chunk)
                    if have_bytes > length_bytes:
                        part.unlink(missing_ok=True)
                        message = f"{url} is longer than its signed length of {length_bytes} bytes"
                        raise DownloadLengthMismatchError(message)
                    file.write(chunk)
                    if have_bytes - synced_bytes >= _SYNC_EVERY_BYTES:
                        _sync(file)
                        synced_bytes = have_bytes
                _sync(file)
            except DownloadError:
                _sync(file)
                raise
            except OSError:
                part.unlink(missing_ok=True)  # a full disk is not kept full
                raise
        if have_bytes < length_bytes:
            message = f"{url}: cut off after {have_bytes} of {length_bytes} bytes"
            raise DownloadError(message)

    @contextmanager
    def _get(self, url: str, offset_bytes: int) -> Iterator[httpx.Response]:
        headers = {"Accept-Encoding": "identity"}
        if offset_bytes:
            headers["Range"] = f"bytes={offset_bytes}-"
        with _transport_errors(url), self._client.stream("GET", url, headers=headers) as response:
            if response.status_code not in {200, 206} and not (offset_bytes and response.status_code == 416):
                message = f"{url}: HTTP {response.status_code}"
                raise DownloadHTTPError(message, response.status_code)
            yield response

    def _paced(self, response: httpx.Response, url: str) -> Iterator[bytes]:
        started_s, received_bytes = self._clock.monotonic_s(), 0
        for chunk in response.iter_raw():
            received_bytes += len(chunk)
            took_s = self._clock.monotonic_s() - started_s
            if took_s > self._limits.grace_s + received_bytes / self._limits.min_rate_bytes_s:
                message = f"{url}: too slow, {received_bytes} bytes in {took_s:.0f} s"
                raise SlowRetrievalError(message)
            yield chunk


def _start_of_body(response: httpx.Response, asked_bytes: int) -> int | None:
    """Return where in the file the body begins; none when it is of no use."""
    if response.status_code == 200:
        return 0
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    fits = response.status_code == 206 and found is not None and int(found[1]) == asked_bytes
    return asked_bytes if fits else None


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _transport_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        message = f"{url}: {error or type(error).__name__}"
        raise DownloadError(message) from error
