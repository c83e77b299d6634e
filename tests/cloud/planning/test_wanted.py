"""How many workers are wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.planning.figures import load_figures
from cloud.planning.wanted import Follower, Rate, Watched, offload_workers_wanted, stream_workers_wanted

KNOWN = load_figures()


@pytest.mark.parametrize(
    ("waiting", "asked_per_s", "picture_ms", "wanted"),
    [
        (0, 0.0, 80.0, 1),  # one is there for whoever asks next
        (0, 6.9, 100.0, 1),
        (0, 7.1, 100.0, 2),
        (0, 70.0, 100.0, 10),
        (30, 1.0, 100.0, 3),  # a crowd that came at once
    ],
)
def test_offload_workers_follow_what_is_asked_and_what_waits(
    waiting: int, asked_per_s: float, picture_ms: float, wanted: int
) -> None:
    assert offload_workers_wanted(waiting, asked_per_s, picture_ms) == wanted


def test_more_workers_come_at_once_and_go_only_after_a_long_rest() -> None:
    follower = Follower(2, 6)
    asked = [(0.0, 1, 2), (1.0, 4, 4), (2.0, 9, 6), (3.0, 1, 6), (200.0, 3, 6), (303.0, 1, 3), (700.0, 1, 2)]
    for now_s, wanted, there in asked:
        assert follower.follow(wanted, now_s) == there


def test_workers_that_are_wanted_again_stay() -> None:
    follower = Follower(1, 4)
    for now_s in range(0, 2000, 200):
        assert follower.follow(4, float(now_s)) == 4
        assert follower.follow(1, now_s + 199.0) == 4


def test_nothing_to_watch_wants_nobody() -> None:
    assert stream_workers_wanted(Watched(), KNOWN) == 0
    assert stream_workers_wanted(Watched(1, 5.0, 1), KNOWN) == 1


@given(
    streams=st.integers(1, 10_000),
    fps=st.floats(0.2, 30.0),
    more=st.integers(1, 1000),
    heads=st.integers(1, 50),
)
def test_more_streams_or_detectors_never_want_fewer_workers(
    streams: int, fps: float, more: int, heads: int
) -> None:
    few = Watched(streams, streams * fps, streams)
    many = Watched(streams + more, (streams + more) * fps, streams + more)
    rich = Watched(streams, streams * fps, streams * heads)
    assert stream_workers_wanted(few, KNOWN) <= stream_workers_wanted(many, KNOWN)
    assert stream_workers_wanted(few, KNOWN) <= stream_workers_wanted(rich, KNOWN)


def test_rate_is_what_came_in_the_last_minutes() -> None:
    rate = Rate()
    for second in range(600):
        rate.note(float(second))
        rate.note(second + 0.5)
    assert rate.per_s(600.0) == pytest.approx(2.0, rel=0.02)
    assert rate.per_s(660.0) == pytest.approx(2.0 / 2.718, rel=0.02)
    assert rate.per_s(1800.0) < 0.01
