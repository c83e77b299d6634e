"""The benchmark of compression: which frames it shows, and its arithmetic."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bench.compress import UNLABELLED, faster, frame_number, frames_away


@given(st.integers(1, 2000), st.lists(st.integers(0, 2000), max_size=30), st.floats(0, 30))
def test_frames_away_are_in_order_and_never_near_a_test(count: int, tests: list[int], gap: float) -> None:
    found = frames_away(count, tests, gap)
    assert found == sorted(set(found))
    assert len(found) <= UNLABELLED
    assert all(0 <= number < count and abs(number - test) > gap for number in found for test in tests)


def test_frame_number_is_that_of_the_clip() -> None:
    assert frame_number(Path("cache/vtest.avi#000123.png")) == 123


def test_faster_compares_rounds_with_each_other() -> None:
    told = faster({"ours": [1.0, 2.0, 4.0], "full": [10.0, 10.0, 10.0]}, "ours", "full")
    assert told == {"median": 5.0, "min": 2.5, "max": 10.0, "n": 3}
