"""Cameras that speak HTTP: one JPEG at a time, or a stream of them."""

from __future__ import annotations

import hashlib
import io
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import ClassVar

import av
import numpy as np
import pytest

from edge_agent.camera.open_source import open_source
from edge_agent.errors import CameraError
from tests.fakes.clock import FakeClock

_END = b"\r\n"


def jpeg(level: int) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return buffer.getvalue()


class Camera(BaseHTTPRequestHandler):
    """Gives `/now.jpg`, `/live.mjpg`, and both to who proves itself by digest below `/locked`."""

    pictures: ClassVar[list[bytes]] = [jpeg(60 + 20 * n) for n in range(6)]

    def do_GET(self) -> None:
        if self.path.startswith("/locked") and not self._is_proven():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Digest realm="camera", nonce="n1", qop="auth"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.endswith(".mjpg"):
            self._stream()
        else:
            self._answer(self.pictures[0], "image/jpeg")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        for picture in self.pictures * 5:
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture + _END)

    def _is_proven(self) -> bool:
        said = dict(re.findall(r'(\w+)="?([^",]*)"?', self.headers.get("Authorization", "")))
        user, way = _md5("me:camera:hidden"), _md5(f"GET:{said.get('uri', '')}")
        between = [said.get(name, "") for name in ("nonce", "nc", "cnonce", "qop")]
        return said.get("response") == _md5(":".join([user, *between, way]))

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@contextmanager
def camera(login: str = "") -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{login}127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("login", "path"),
    [
        ("", "/now.jpg"),
        ("", "/live.mjpg"),
        ("me:hidden@", "/locked/now.jpg"),
        ("me:hidden@", "/locked/live.mjpg"),
    ],
)
def test_open_source_http_camera_gives_pictures(login: str, path: str) -> None:
    with camera(login) as url, closing(open_source(url + path, clock=FakeClock())) as source:
        frames = list(islice(source, 3))
    assert [frame.rgb.shape for frame in frames] == [(48, 64, 3)] * 3
    assert frames[0].rgb.mean() == pytest.approx(60, abs=8)


@pytest.mark.parametrize("path", ["/locked/now.jpg", "/locked/live.mjpg"])
def test_open_source_http_camera_with_a_wrong_password_says_so(path: str) -> None:
    with (
        camera("me:guess@") as url,
        pytest.raises(CameraError, match="wrong user name or password") as caught,
    ):
        next(iter(open_source(url + path)))
    assert "guess" not in str(caught.value)


def test_open_source_http_stream_that_ends_is_told() -> None:
    with camera() as url, pytest.raises(CameraError, match="ended"):
        list(open_source(f"{url}/live.mjpg"))
