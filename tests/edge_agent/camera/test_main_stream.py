"""Clips of events from a real RTSP stream, which is never decoded on the way."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import av
import pytest

from edge_agent.camera.main_stream import MainStream, MainStreamOptions
from edge_agent.clock import SystemClock
from tests.fakes.frame_source import until
from tests.fakes.rtsp_server import RtspServer

pytestmark = [pytest.mark.system, pytest.mark.slow]

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
