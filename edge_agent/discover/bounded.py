"""HTTP with a stranger: plain answers of bounded size, in bounded time, and never from somewhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import httpx

from edge_agent.clock import Clock
from edge_agent.errors import CameraError

_MAX_ANSWER_BYTES = 500_000


class BoundedTransport(httpx.BaseTransport):
    """What speaks HTTP with one device until its time is over."""

    def __init__(self, inner: httpx.BaseTransport, host: str, clock: Clock, seconds: float) -> None:
        """Begin.

        Args:
            inner: Speaks.
            host: Whom nobody else may stand in for.
            clock: Tells when the time is over.
            seconds: For all requests together.
        """
        self._inner = inner
        self._host = host
        self._clock = clock
        self._until_s = clock.monotonic_s() + seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        Raises:
            CameraError: The device sends us elsewhere, answers packed or too much, or takes too long.
        """
        if request.url.host != self._host:
            self._refuse("names a service on another machine; only its own are asked")
        self.check_time()
        response = self._inner.handle_request(request)
        if response.is_redirect:
            response.close()
            cure = "if it moved to https, name it as --host https://HOST"
            self._refuse(f"sends us elsewhere (HTTP {response.status_code}); {cure}")
        if response.headers.get("content-encoding", "identity") != "identity":
            # A few bytes of these can stand for gigabytes, and no camera needs them.
            response.close()
            self._refuse("answers in packed form, which nobody asked for; it is left out")
        body = _BoundedBody(response.stream, self)
        return httpx.Response(response.status_code, headers=response.headers, stream=body)

    def check_time(self) -> None:
        """Go on, if there is time left.

        Raises:
            CameraError: There is none.
        """
        if self._clock.monotonic_s() >= self._until_s:
            self._refuse("takes too long to answer; restart it, or try again")

    def check_size(self, size_bytes: int) -> None:
        """Go on, if an answer has not grown too large.

        Raises:
            CameraError: It has.
        """
        if size_bytes > _MAX_ANSWER_BYTES:
            self._refuse(f"answers with more than {_MAX_ANSWER_BYTES} bytes; that is no camera's answer")

    def close(self) -> None:
        """Hang up."""
        self._inner.close()

    def _refuse(self, why: str) -> NoReturn:
        message = f"{self._host}: {why}"
        raise CameraError(message)


class _BoundedBody(httpx.SyncByteStream):
    def __init__(self, inner: object, limits: BoundedTransport) -> None:
        self._inner = inner
        self._limits = limits

    def __iter__(self) -> Iterator[bytes]:
        size_bytes = 0
        if isinstance(self._inner, httpx.SyncByteStream):
            for piece in self._inner:
                size_bytes += len(piece)
                self._limits.check_size(size_bytes)
                self._limits.check_time()
                yield piece

    def close(self) -> None:
        if isinstance(self._inner, httpx.SyncByteStream):
            self._inner.close()
