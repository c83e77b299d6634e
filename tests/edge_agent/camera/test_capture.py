"""A camera kept open, whatever it does."""

from __future__ import annotations

import random
import threading

import pytest

from edge_agent.camera.capture import Capture, CaptureLimits, limits_at
from edge_agent.errors import CameraError
from tests.fakes.frame_source import Break, Give, Hang, ScriptedCamera, Wait, until

QUICK = CaptureLimits(first_frame_s=0.3, stall_s=0.3, backoff_base_s=0.02, backoff_max_s=0.05)


def capture(camera: ScriptedCamera, limits: CaptureLimits = QUICK) -> Capture:
    return Capture(camera, name="front", rng=random.Random(0), limits=limits)


def is_offline(front: Capture, reason: str) -> bool:
    health = front.health()
    return (health.status, health.reason) == ("offline", reason)


@pytest.fixture
def never() -> threading.Event:
    return threading.Event()


def test_capture_gives_the_newest_picture_and_counts_the_rest(never: threading.Event) -> None:
    with capture(ScriptedCamera([Give(10), Hang(never)])) as front:
        assert until(lambda: front.health().frames == 10)
        frame = front.latest(1.0)
        assert frame is not None
        assert frame.index == 9
        assert front.health().dropped == 9
        assert front.latest(0.01) is None


def test_capture_latest_waits_for_a_picture() -> None:
    with capture(ScriptedCamera([Wait(0.1), Give(), Wait(1)])) as front:
        assert front.latest(0.0) is None
        assert front.latest(2.0) is not None


def test_capture_is_offline_before_the_first_picture_and_online_after_it() -> None:
    front = capture(ScriptedCamera([Give(), Wait(5)]))
    assert (front.health().status, front.health().reason) == ("offline", "not opened yet")
    with front:
        assert until(lambda: front.health().status == "online")
        assert front.health().reopened == 0


def test_capture_recording_that_ends_is_finished_and_not_opened_again() -> None:
    camera = ScriptedCamera([Give(3)])
    with capture(camera) as front:
        assert until(lambda: front.health().finished)
        assert front.latest(0.0) is not None
        assert front.latest(5.0) is None
        assert front.health().reason == "the recording ended"
    assert len(camera.opened) == 1
    assert camera.opened[0].closed


def test_capture_source_that_fails_is_opened_again_with_the_reason_told() -> None:
    # Each script is repeated until its reason was seen: on a busy machine that may take several times.
    camera = ScriptedCamera([Give(2), Break(CameraError("the stream ended"))])
    with capture(camera) as front:
        assert until(lambda: is_offline(front, "the stream ended"))
        camera.then(CameraError("refused"))
        assert until(lambda: is_offline(front, "refused"))
        camera.then([Give(), Wait(5)])
        assert until(lambda: front.health().status == "online")
        assert front.health().reopened >= 2


def test_capture_hanging_decoder_is_left_behind_and_replaced(never: threading.Event) -> None:
    camera = ScriptedCamera([Give(), Hang(never), Give()], [Give(5), Wait(5)])
    with capture(camera) as front:
        assert until(lambda: "no picture" in front.health().reason)
        assert until(lambda: front.health().status == "online")
        assert until(lambda: front.health().frames == 6)
        never.set()
        assert until(lambda: camera.opened[0].closed), "it closes itself when it wakes"
        assert front.health().frames == 6, "its pictures are no longer taken"


def test_capture_source_that_hangs_while_opening_is_replaced(never: threading.Event) -> None:
    camera = ScriptedCamera([Hang(never)], [Give(), Wait(5)])
    with capture(camera) as front:
        assert until(lambda: front.health().status == "online")
        assert front.health().reopened == 1
    never.set()


def test_capture_unexpected_error_is_survived() -> None:
    camera = ScriptedCamera([Break(ZeroDivisionError("driver"))])
    with capture(camera) as front:
        assert until(lambda: "ZeroDivisionError" in front.health().reason)
        camera.then([Give(), Wait(5)])
        assert until(lambda: front.health().status == "online")


def test_capture_close_stops_its_threads() -> None:
    camera = ScriptedCamera([item for _ in range(500) for item in (Give(), Wait(0.01))])
    with Capture(camera, name="closing", limits=QUICK) as closing:
        assert until(lambda: closing.health().frames > 2)
    assert until(lambda: "capture-closing" not in {t.name for t in threading.enumerate()})
    assert until(lambda: camera.opened[0].closed)


def test_capture_fps_is_measured() -> None:
    camera = ScriptedCamera([item for _ in range(200) for item in (Give(), Wait(0.02))])
    with capture(camera) as front:
        assert until(lambda: front.health().frames >= 30)
        assert 0 < front.health().fps <= 51


def test_capture_since_is_when_the_state_changed_last() -> None:
    camera = ScriptedCamera(CameraError("refused"))
    with capture(camera) as front:
        assert until(lambda: front.health().reason == "refused")
        since_s = front.health().since_s
        assert until(lambda: front.health().reopened >= 3)
        assert front.health().since_s == since_s


@pytest.mark.parametrize(("fps", "stall_s"), [(25.0, 10.0), (1.0, 10.0), (0.2, 10.0), (0.05, 40.0)])
def test_limits_wait_for_two_pictures_of_a_slow_camera(fps: float, stall_s: float) -> None:
    assert limits_at(fps).stall_s == pytest.approx(stall_s)


class Starved(Capture):
    """Cannot start a thread at first."""

    starving = True

    def _read_until_it_fails(self, started_s: float) -> str | None:
        if self.starving:
            message = "can't start new thread"
            raise RuntimeError(message)
        return super()._read_until_it_fails(started_s)


def test_capture_without_memory_for_a_thread_tries_again() -> None:
    with Starved(ScriptedCamera([Give(), Wait(5)]), limits=QUICK) as front:
        assert until(lambda: front.health().reason.startswith("this machine is out of memory"))
        assert until(lambda: front.health().reopened >= 3)
        front.starving = False
        assert until(lambda: front.health().status == "online")
