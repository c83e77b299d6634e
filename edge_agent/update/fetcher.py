"""HTTP as updates need it: downloads that resume after any cut, never grow too long and never take for ever.

Resuming is safe because a bundle's URL holds its digest: the bytes behind it never change, and all of them
are verified in the end. Signed metadata is small and read whole.

The rest of a file is asked for twice in one question: by the Range header, which any web server may know, and
by an address of its own (`?from=N`), which our cloud knows also behind a proxy that takes the header away.
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
from typing import Final

import httpx
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient import FetcherInterface

from edge_agent.clock import Clock
from edge_agent.update.disk import Disk, RealDisk
from edge_agent.wire.target import PART_HEADER, PART_QUERY

_SYNC_EVERY_BYTES: Final = 4 << 20
_CONTENT_RANGE: Final = re.compile(r"^bytes (\d+)-\d+/(\d+|\*)$")
# What a server may say that does not like how a part was asked for; without the question it may answer.
_ODD_QUESTION: Final = frozenset({400, 416})


@dataclass(frozen=True)
class _Question:
    """How a file is asked for, from the byte `start_bytes` on."""

    start_bytes: int = 0
    by_range: bool = False
    by_address: bool = False


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
        disk: Keeps the parts.
    """

    def __init__(
        self,
        client: httpx.Client,
        parts_path: Path,
        clock: Clock,
        limits: FetchLimits | None = None,
        disk: Disk | None = None,
    ) -> None:
        self._client = client
        self._parts_path = parts_path
        self._clock = clock
        self._limits = limits or FetchLimits()
        self._disk = disk or RealDisk()

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
        self._fill(url, part, length_bytes)
        return part

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """Return a small file; see `FetcherInterface.download_bytes`."""
        received = bytearray()
        with self._get(url, _Question()) as response:
            for chunk in self._paced(response, url):
                received += chunk
                if len(received) > max_length:
                    message = f"{url} is longer than the {max_length} bytes that are allowed"
                    raise DownloadLengthMismatchError(message)
        return bytes(received)

    def _fetch(self, url: str) -> Iterator[bytes]:
        with self._get(url, _Question()) as response:
            yield from self._paced(response, url)

    def _fill(self, url: str, part: Path, length_bytes: int) -> None:
        """Bring the part to its whole length; the body of an answer that is of no use is not read."""
        have_bytes = part.stat().st_size if part.exists() else 0
        if have_bytes > length_bytes:
            part.unlink()
            have_bytes = 0
        if have_bytes == length_bytes:
            return
        for question in _questions(have_bytes):
            with self._get(url, question) as response:
                start_bytes = _start_of_body(response, question, length_bytes)
                if start_bytes is not None:
                    self._append(response, url, part, start_bytes, length_bytes)
                    return
        message = f"{url}: the server cannot give the file from its start"
        raise DownloadError(message)

    def _append(
        self, response: httpx.Response, url: str, part: Path, start_bytes: int, length_bytes: int
    ) -> None:
        try:
            have_bytes = self._receive(response, url, part, start_bytes, length_bytes)
        except DownloadLengthMismatchError:
            part.unlink(missing_ok=True)
            raise
        except (ConnectionError, TimeoutError):
            raise
        except OSError:
            part.unlink(missing_ok=True)  # a full disk is not kept full
            raise
        if have_bytes < length_bytes:
            message = f"{url}: cut off after {have_bytes} of {length_bytes} bytes"
            raise DownloadError(message)

    def _receive(
        self, response: httpx.Response, url: str, part: Path, start_bytes: int, length_bytes: int
    ) -> int:
        """Write what comes from the byte `start_bytes` on; return up to where, all of it on the disk."""
        have_bytes = synced_bytes = start_bytes
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.truncate(start_bytes)
            file.seek(start_bytes)
            try:
                for chunk in self._paced(response, url):
                    have_bytes += len(chunk)
                    if have_bytes > length_bytes:
                        message = f"{url} is longer than its signed length of {length_bytes} bytes"
                        raise DownloadLengthMismatchError(message)
                    file.write(chunk)
                    if have_bytes - synced_bytes >= _SYNC_EVERY_BYTES:
                        file.flush()
                        self._disk.sync(part)
                        synced_bytes = have_bytes
            finally:
                file.flush()
                self._disk.sync(part)
        return have_bytes

    @contextmanager
    def _get(self, url: str, question: _Question) -> Iterator[httpx.Response]:
        headers = {"Accept-Encoding": "identity"}
        if question.by_range:
            headers["Range"] = f"bytes={question.start_bytes}-"
        address = f"{url}?{PART_QUERY}={question.start_bytes}" if question.by_address else url
        with _transport_errors(url), self._client.stream("GET", address, headers=headers) as response:
            is_odd = bool(question.start_bytes) and response.status_code in _ODD_QUESTION
            if response.status_code not in {200, 206} and not is_odd:
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


def _questions(have_bytes: int) -> tuple[_Question, ...]:
    """Return how to ask for what is missing; the next question is for servers that misunderstood the last."""
    if not have_bytes:
        return (_Question(),)
    return (
        _Question(have_bytes, by_range=True, by_address=True),
        # A cache that applied the range to what it got for the address answers this one rightly.
        _Question(have_bytes, by_address=True),
        _Question(),
    )


def _start_of_body(response: httpx.Response, question: _Question, length_bytes: int) -> int | None:
    """Return where in the file the body begins; none when that is not certain, or not what was asked for."""
    start_bytes = question.start_bytes
    if response.status_code == 206 and question.by_range:
        found = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
        fits = found is not None and int(found[1]) == start_bytes and found[2] in {"*", str(length_bytes)}
        return start_bytes if fits else None
    if response.status_code != 200:
        return None
    told, size = response.headers.get(PART_HEADER), response.headers.get("Content-Length")
    if told is not None:
        fits = told == str(start_bytes) and size in {None, str(length_bytes - start_bytes)}
        return start_bytes if fits else None
    # Without our header it is the whole file, unless somebody on the way lost the header of a part.
    return 0 if not start_bytes or size in {None, str(length_bytes)} else None


@contextmanager
def _transport_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        message = f"{url}: {error or type(error).__name__}"
        raise DownloadError(message) from error
