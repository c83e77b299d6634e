"""Cameras that give single JPEG pictures over HTTP: fetched again and again."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import httpx
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from edge_agent.camera.decoded import to_rgb
from edge_agent.camera.frame import Frame
from edge_agent.camera.options import ReadOptions
from edge_agent.camera.uri import SourceAddress
from edge_agent.clock import Clock
from edge_agent.errors import CameraError

_MAX_PICTURE_BYTES = 20_000_000
_DEFAULT_INTERVAL_S = 1.0
_UNAUTHORIZED = 401


class SnapshotSource:
    """Polls one address for pictures; at most `max_fps` a second, by default one."""

    def __init__(self, address: SourceAddress, options: ReadOptions, clock: Clock) -> None:
        self._address = address
        self._options = options
        self._clock = clock
        url = httpx.URL(address.location)
        self._url = url.copy_with(username=None, password=None)
        self._login = (url.username, url.password)
        self._auth: httpx.Auth | None = httpx.BasicAuth(*self._login) if url.username else None
        self._client = httpx.Client(timeout=options.timeout_s, follow_redirects=False)

    def __iter__(self) -> Iterator[Frame]:
        """Yield pictures.

        Raises:
            CameraError: The camera refused, did not answer, or sent something else than a picture.
        """
        interval_s = 1.0 / self._options.max_fps if self._options.max_fps else _DEFAULT_INTERVAL_S
        index = 0
        while True:
            started_s = self._clock.monotonic_s()
            rgb = _decode(self._fetch(), self._address, self._options.max_width_px)
            yield Frame(rgb, index, self._clock.now_s(), self._clock.monotonic_s())
            index += 1
            self._clock.sleep(max(0.0, started_s + interval_s - self._clock.monotonic_s()))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _fetch(self) -> bytes:
        try:
            response = self._get()
            if response.status_code == _UNAUTHORIZED and self._use_digest(response):
                response = self._get()
        except httpx.TimeoutException:
            what = "timed out; check that the camera is on and can be reached from here"
            raise self._error(what) from None
        except httpx.HTTPError as error:
            what = f"cannot be reached ({type(error).__name__}); check the address, and that the camera is on"
            raise self._error(what) from None
        if response.status_code == _UNAUTHORIZED:
            what = "wrong user name or password (401); check both in the camera's address"
            raise self._error(what)
        if not response.is_success:
            what = f"answered {response.status_code}; check the path in the camera's address"
            raise self._error(what)
        return response.content

    def _get(self) -> httpx.Response:
        with self._client.stream("GET", self._url, auth=self._auth) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MAX_PICTURE_BYTES:
                    what = "sends no end of data; it is not a single picture"
                    raise self._error(what)
            return httpx.Response(response.status_code, headers=response.headers, content=bytes(body))

    def _use_digest(self, response: httpx.Response) -> bool:
        asks = response.headers.get("www-authenticate", "").lower().startswith("digest")
        if not asks or not self._login[0] or isinstance(self._auth, httpx.DigestAuth):
            return False
        self._auth = httpx.DigestAuth(*self._login)
        return True

    def _error(self, what: str) -> CameraError:
        return CameraError(f"{self._address.shown}: {what}")


def _decode(data: bytes, address: SourceAddress, max_width_px: int | None) -> NDArray[np.uint8]:
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            for picture in container.decode(video=0):
                return to_rgb(picture, max_width_px)
    except (FFmpegError, IndexError):
        pass
    message = f"{address.shown}: answers, but not with a picture; check the path in the camera's address"
    raise CameraError(message)
