"""Times of pictures."""

from __future__ import annotations

import pytest

from edge_agent.camera.pacing import Playback, RateLimit
from tests.fakes.clock import FakeClock


@pytest.mark.parametrize(
    ("source_fps", "max_fps", "expected"),
    [(25, 5, 50), (15, 5, 50), (10, 5, 50), (5, 5, 50), (2, 5, 20), (30, 7, 70), (25, None, 250)],
)
def test_rate_limit_lets_through_the_wanted_number(
    source_fps: int, max_fps: float | None, expected: int
) -> None:
    limit = RateLimit(max_fps)
    given = sum(limit.admits(i / source_fps) for i in range(10 * source_fps))
    assert given == pytest.approx(expected, abs=2)


def test_rate_limit_after_a_pause_does_not_catch_up() -> None:
    limit = RateLimit(5)
    assert limit.admits(0.0)
    assert [limit.admits(60.0 + i * 0.04) for i in range(6)] == [True, False, False, False, True, False]


def test_playback_in_real_time_waits_until_each_picture_is_due() -> None:
    clock = FakeClock()
    playback = Playback(clock, real_time=True)
    for position_s in (0.0, 0.1, 0.2):
        playback.wait_for(position_s)
    assert sum(clock.slept_s) == pytest.approx(0.2)
    assert playback.moment(0.2) == (clock.now_s(), clock.monotonic_s())


def test_playback_far_behind_goes_on_from_there_without_racing() -> None:
    clock = FakeClock()
    playback = Playback(clock, real_time=True)
    clock.advance(60.0)
    playback.wait_for(0.1)
    playback.wait_for(0.2)
    assert clock.slept_s == [pytest.approx(0.1)]


def test_playback_as_fast_as_possible_never_waits_and_dates_by_position() -> None:
    clock = FakeClock()
    playback = Playback(clock, real_time=False)
    playback.wait_for(5.0)
    assert not clock.slept_s
    assert playback.moment(5.0) == (clock.now_s() + 5.0, clock.monotonic_s() + 5.0)
