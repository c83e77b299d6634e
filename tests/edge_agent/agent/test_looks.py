"""A camera sends pictures while somebody looks, at the pace that is wanted, and then no more."""

from __future__ import annotations

import pytest

from edge_agent.agent.looks import Looks
from edge_agent.wire.live import LookWanted
from tests.fakes.clock import FakeClock


def pictures_sent(looks: Looks, clock: FakeClock, seconds: float, *, camera_fps: float) -> int:
    sent = 0
    for _ in range(round(seconds * camera_fps)):
        sent += looks.due("door") is not None
        clock.advance(1.0 / camera_fps)
    return sent


def test_looks_nobody_looking_sends_nothing() -> None:
    clock = FakeClock()
    assert pictures_sent(Looks(clock), clock, 10.0, camera_fps=10.0) == 0


def test_looks_end_by_themselves() -> None:
    clock = FakeClock()
    looks = Looks(clock)
    looks.want(LookWanted(camera="door", for_s=3.0, fps=15.0))
    assert 29 <= pictures_sent(looks, clock, 10.0, camera_fps=10.0) <= 31


@pytest.mark.parametrize(
    ("wanted_fps", "camera_fps", "expected"), [(2.0, 10.0, 20), (4.0, 10.0, 40), (15.0, 5.0, 50)]
)
def test_looks_keep_the_pace_that_is_wanted(wanted_fps: float, camera_fps: float, expected: int) -> None:
    clock = FakeClock()
    looks = Looks(clock)
    looks.want(LookWanted(camera="door", for_s=10.0, fps=wanted_fps))
    assert abs(pictures_sent(looks, clock, 10.0, camera_fps=camera_fps) - expected) <= expected // 5


def test_looks_said_again_go_on_without_an_extra_picture() -> None:
    clock = FakeClock()
    looks = Looks(clock)
    wanted = LookWanted(camera="door", for_s=5.0, fps=1.0)
    looks.want(wanted)
    assert looks.due("door") is not None
    looks.want(wanted)
    assert looks.due("door") is None
    clock.advance(1.0)
    assert looks.due("door") is not None


def test_looks_at_one_camera_show_no_other() -> None:
    clock = FakeClock()
    looks = Looks(clock)
    looks.want(LookWanted(camera="door", for_s=5.0))
    assert looks.due("bedroom") is None
