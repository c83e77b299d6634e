"""Frames that may be proposed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.active.candidates import TEST_GAP_S, Candidate, away_from, spread_over_clip
from cloud.datasets.frames import PictureSource

SOURCE = PictureSource(Path("a.mp4"), 0)


def at(time_s: float, clip: str = "a") -> Candidate:
    return Candidate(PictureSource(Path(clip), round(time_s * 10)), clip, time_s)


@given(st.integers(1, 5000), st.integers(1, 300))
def test_spread_gives_as_many_as_asked_each_once_all_in_the_clip(frames: int, most: int) -> None:
    indices = [one.source.frame_index for one in spread_over_clip(SOURCE, "a", 25.0, frames, most)]
    assert len(set(indices)) == len(indices) == min(frames, most)
    assert all(index is not None and 0 <= index < frames for index in indices)


def test_spread_tells_the_time_of_each_frame() -> None:
    spread = spread_over_clip(SOURCE, "a", 10.0, 100, 2)
    assert [(one.source.frame_index, one.time_s) for one in spread] == [(25, 2.5), (75, 7.5)]


@given(st.lists(st.floats(0, 60), max_size=20), st.lists(st.floats(0, 60), max_size=20))
def test_nothing_near_a_test_frame_is_left_and_all_else_is(times: list[float], tests: list[float]) -> None:
    left = {one.time_s for one in away_from([at(time) for time in times], [at(time) for time in tests])}
    assert left == {time for time in times if all(abs(time - test) >= TEST_GAP_S for test in tests)}


@pytest.mark.parametrize(("clip", "left"), [("a", 0), ("b", 1)])
def test_test_frame_keeps_away_only_from_its_own_clip(clip: str, left: int) -> None:
    assert len(away_from([at(5.0)], [at(5.0, clip)])) == left
