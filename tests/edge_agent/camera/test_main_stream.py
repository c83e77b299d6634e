"""Clips of events from a real RTSP stream, which is never decoded on the way."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import av
import numpy as np
import pytest

from edge_agent.camera.main_stream import MainStream, MainStreamOptions, mux
from edge_agent.camera.packet_ring import StreamPacket
from edge_agent.clock import SystemClock
from tests.fakes.frame_source import until
from tests.fakes.rtsp_server import RtspServer

CLOCK = SystemClock()


class Clips:
    """Takes the first clip of each kind of event."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def __call__(self, event_id: str, time_s: float, clip: bytes) -> None:
        assert time_s > 0
        self.kept.setdefault(event_id.rstrip("0123456789"), clip)


def ask_until(stream: MainStream, name: str, done: Callable[[], bool]) -> bool:
    """Ask again and again, as while something always happens."""
    asked = iter(range(10_000))

    def step() -> bool:
        stream.want(f"{name}{next(asked)}", CLOCK.now_s(), CLOCK.monotonic_s())
        return done()

    return until(step)


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.slow
def test_main_stream_gives_clips_that_play_also_after_the_camera_was_away() -> None:
    clips = Clips()
    with RtspServer() as server:
        options = MainStreamOptions(server.url, 1.0, 1.0, 1_000_000)
        stream = MainStream(options, clips, name="door", clock=CLOCK, rng=random.Random(0))
        stream.start()
        try:
            assert ask_until(stream, "before", lambda: bool(clips.kept))
            server.kill()
            server.start()
            assert ask_until(stream, "after", lambda: "after" in clips.kept)
        finally:
            stream.stop()
    for clip in clips.kept.values():
        with av.open(io.BytesIO(clip), "r") as film:
            pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
            assert len(pictures) > 1
            assert {picture.shape for picture in pictures} == {(120, 160, 3)}


def test_mux_of_pictures_that_are_decoded_in_another_order_keeps_their_times() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as film:
        stream = film.add_stream("libx264", rate=10, options={"bf": "2", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(30):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level * 8, np.uint8), format="rgb24")
            film.mux(stream.encode(picture))
        film.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as film:
        source = film.streams.video[0]
        packets = [
            StreamPacket(0.0, one.pts, one.dts, one.is_keyframe, bytes(one))
            for one in film.demux(source)
            if one.pts is not None and one.dts is not None
        ]
        assert any(one.pts != one.dts for one in packets)
        second = [n for n, one in enumerate(packets) if one.is_key][1]
        clip = mux(packets[second:], source)
    with av.open(io.BytesIO(clip), "r") as film:
        times = [frame.time for frame in film.decode(video=0)]
    assert len(times) == 20
    assert np.allclose(np.diff(np.array(times, float)), 0.1, atol=1e-3)
