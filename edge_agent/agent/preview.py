"""A small web page that shows what a camera's detector sees, for trying things out. Only for this machine.

It shows clear pictures, so it listens on the loopback interface and answers only to loopback names (a web
page from elsewhere that rebinds its name to 127.0.0.1 gets nothing).
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from edge_agent.agent.preview_page import PAGE
from edge_agent.errors import ConfigError
from edge_agent.report.snapshots import encode_jpeg, shrink
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.draw import draw_detections
from edge_agent.wire.detection import Detection

_log = logging.getLogger(__name__)

_HOST = "127.0.0.1"
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_BOUNDARY = "frame"
_MAX_PX = 960
_JPEG_QUALITY = 80
_RECENT_EVENTS = 12
_WAIT_S = 1.0
_MAX_STREAMS = 8


@dataclass(frozen=True)
class PreviewState:
    """What the page shows beside the picture.

    Attributes:
        source: The camera, without its password.
        status: How it is, one line.
        counts: Things now in view, by display name.
        fps: Pictures a second.
        inference_ms: Time of one look, if there was one.
    """

    source: str
    status: str
    counts: Mapping[str, int]
    fps: float
    inference_ms: float | None


class Preview:
    """The newest picture and state, as the page shows them; fed from one thread, read from many."""

    def __init__(self, state: PreviewState) -> None:
        self._changed = threading.Condition()
        self._rgb: Rgb | None = None
        self._boxes: tuple[Detection, ...] = ()
        self._version = 0
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._state = state
        self._events: deque[str] = deque(maxlen=_RECENT_EVENTS)
        self.closed = False

    def show(self, rgb: Rgb, boxes: Sequence[Detection], state: PreviewState) -> None:
        """Show a picture (h, w, 3) uint8 with boxes; drawn only if somebody looks."""
        with self._changed:
            self._rgb, self._boxes, self._state = rgb, tuple(boxes), state
            self._version += 1
            self._changed.notify_all()

    def tell(self, line: str) -> None:
        """Add a line to the events."""
        with self._changed:
            self._events.appendleft(line)

    def close(self) -> None:
        """End all streams."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def jpeg(self, after_version: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Return a picture newer than `after_version` with its own version; none if none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._version > after_version, timeout_s)
            if self.closed or self._rgb is None or self._version <= after_version:
                return None
            version, rgb, boxes = self._version, self._rgb, self._boxes
            if self._jpeg[0] == version:
                return self._jpeg
        drawn = draw_detections(shrink(rgb, _MAX_PX), boxes)
        encoded = (version, encode_jpeg(drawn, _JPEG_QUALITY))
        with self._changed:
            self._jpeg = encoded
        return encoded

    def document(self) -> dict[str, object]:
        """Return the state as the page reads it."""
        with self._changed:
            state = self._state
            return {
                "source": state.source,
                "status": state.status,
                "counts": dict(state.counts),
                "fps": round(state.fps, 1),
                "inference_ms": state.inference_ms and round(state.inference_ms, 1),
                "events": list(self._events),
            }


class PreviewServer:
    """Serves a `Preview`; use as a context manager."""

    def __init__(self, preview: Preview, port: int) -> None:
        """Listen on the loopback interface.

        Args:
            preview: What to show.
            port: Where to listen; 0: any free port.

        Raises:
            ConfigError: The port is taken or not allowed.
        """
        self._preview = preview
        streams = threading.BoundedSemaphore(_MAX_STREAMS)
        try:
            self._server = _Server((_HOST, port), partial(_Handler, preview, streams))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = (
                f"the preview cannot listen on port {port}: {reason}; choose another, or 0 for a free one"
            )
            raise ConfigError(message) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="preview", daemon=True)

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return f"http://{_HOST}:{self.port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._preview.close()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def __init__(self, preview: Preview, streams: threading.BoundedSemaphore, *arguments: object) -> None:
        self._preview = preview
        self._streams = streams
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer; nothing here changes anything."""
        if not self._is_for_loopback():
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "ask for 127.0.0.1")
            return
        path = self.path.partition("?")[0]
        try:
            if path == "/":
                self._send("text/html; charset=utf-8", PAGE.encode())
            elif path == "/state.json":
                self._send("application/json", json.dumps(self._preview.document()).encode())
            elif path == "/picture.jpg":
                self._picture()
            elif path == "/stream.mjpg":
                self._stream()
            else:
                self.send_error(HTTPStatus.NOT_FOUND)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep requests out of the console."""
        _log.debug(format, *args)

    def _is_for_loopback(self) -> bool:
        host = self.headers.get("Host", "").lower()
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        return name in _LOOPBACK_NAMES

    def _send(self, content_type: str, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def _picture(self) -> None:
        newest = self._preview.jpeg(0, _WAIT_S)
        if newest is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "no picture yet")
        else:
            self._send("image/jpeg", newest[1])

    def _stream(self) -> None:
        if not self._streams.acquire(blocking=False):
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers")
            return
        try:
            self._send_stream()
        finally:
            self._streams.release()

    def _send_stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        version = 0
        while not self._preview.closed:
            newest = self._preview.jpeg(version, _WAIT_S)
            if newest is None:
                continue
            version, jpeg = newest
            head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
