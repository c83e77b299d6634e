"""HLS: a playlist brings seconds of video at once, and they are given at their own speed."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edge_agent.camera.open_source import open_source
from edge_agent.errors import CameraError
from tests.fakes.clock import FakeClock

_FPS, _SECONDS = 10, 4


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def playlist(tmp_path: Path) -> Iterator[str]:
    with av.open(str(tmp_path / "live.m3u8"), "w", format="hls", options={"hls_time": "2"}) as output:
        stream = output.add_stream("libx264", rate=_FPS, options={"g": str(_FPS), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(_FPS * _SECONDS):
            rgb = np.full((48, 64, 3), 6 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _FPS)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/live.m3u8?token=1"
        server.shutdown()
        thread.join()


def test_playlist_gives_pictures_evenly_though_they_come_all_at_once(playlist: str) -> None:
    moments_s: list[float] = []
    frames = open_source(playlist, clock=FakeClock(), max_fps=5.0)
    with pytest.raises(CameraError, match="the stream ended"):
        moments_s.extend(frame.monotonic_s for frame in frames)
    steps_s = np.diff(moments_s)
    assert len(moments_s) == 5 * _SECONDS
    assert np.allclose(steps_s, 0.2, atol=0.02)
