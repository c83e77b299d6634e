"""A capture against a real RTSP stream on loopback: killed, frozen, locked."""

from __future__ import annotations

import random
from itertools import islice

import numpy as np
import pytest

from edge_agent.camera.capture import Capture, CaptureLimits
from edge_agent.camera.open_source import open_source
from edge_agent.errors import CameraError
from tests.fakes.frame_source import until
from tests.fakes.rtsp_server import RtspServer, encoded

pytestmark = [pytest.mark.system, pytest.mark.slow]

LIMITS = CaptureLimits(first_frame_s=8.0, stall_s=1.5, backoff_base_s=0.1, backoff_max_s=0.5)


def capture(server: RtspServer) -> Capture:
    return Capture(lambda: open_source(server.url, timeout_s=1.0), rng=random.Random(0), limits=LIMITS)


def test_capture_rtsp_gives_moving_pictures() -> None:
    with RtspServer() as server, capture(server) as camera:
        first = camera.latest(10.0)
        assert first is not None
        assert first.rgb.shape == (120, 160, 3)
        assert until(lambda: camera.health().frames >= 15)
        later = camera.latest(10.0)
        assert later is not None
        assert abs(first.rgb.astype(int) - later.rgb.astype(int)).max() > 50


@pytest.mark.timeout(40)  # who waits for more pictures waits until its own time is over
def test_open_source_rtsp_gives_a_picture_before_there_were_dozens() -> None:
    with RtspServer() as server:
        server.most_pictures = 20
        source = open_source(server.url, timeout_s=120.0)
        first = next(iter(source))
        source.close()
    assert first.rgb.shape == (120, 160, 3)


def test_capture_rtsp_server_killed_goes_offline_with_a_reason_and_comes_back() -> None:
    with RtspServer() as server, capture(server) as camera:
        assert until(lambda: camera.health().status == "online")
        server.kill()
        assert until(lambda: camera.health().status == "offline")
        assert until(lambda: "refused" in camera.health().reason)
        server.start()
        assert until(lambda: camera.health().status == "online", 120.0)
        assert camera.health().reopened >= 1
        assert camera.latest(5.0) is not None


def test_capture_rtsp_server_frozen_goes_offline_and_comes_back() -> None:
    with RtspServer() as server, capture(server) as camera:
        assert until(lambda: camera.health().status == "online")
        server.freeze()
        assert until(lambda: camera.health().status == "offline", 120.0)
        assert "timed out" in camera.health().reason or "no picture" in camera.health().reason
        server.freeze(frozen=False)
        assert until(lambda: camera.health().status == "online", 120.0)


def test_capture_rtsp_picture_that_changes_its_size_goes_on() -> None:
    large = encoded([np.full((240, 320, 3), 90, np.uint8)] * 5)
    with RtspServer() as server, capture(server) as camera:
        assert until(lambda: camera.health().status == "online")
        server.show(large)
        assert until(lambda: (frame := camera.latest(1.0)) is not None and frame.rgb.shape == (240, 320, 3))
        assert camera.health().reopened == 0


def test_capture_rtsp_garbage_goes_offline_and_comes_back() -> None:
    with RtspServer() as server, capture(server) as camera:
        assert until(lambda: camera.health().status == "online")
        server.garbage = True
        assert until(lambda: camera.health().status == "offline", 120.0)
        server.garbage = False
        assert until(lambda: camera.health().status == "online", 120.0)


def test_open_source_rtsp_over_udp() -> None:
    with RtspServer() as server:
        frames = islice(open_source(server.url, rtsp_transport="udp"), 5)
        assert [frame.rgb.shape for frame in frames] == [(120, 160, 3)] * 5


@pytest.mark.parametrize("digest", [False, True])
def test_open_source_rtsp_with_a_login(digest: bool) -> None:
    with RtspServer(login=("me", "hidden"), digest=digest) as server:
        assert next(iter(open_source(server.url))).rgb.shape == (120, 160, 3)
        with pytest.raises(CameraError, match="wrong user name or password") as caught:
            open_source(server.url.replace("hidden", "guess"))
        assert "guess" not in str(caught.value)
