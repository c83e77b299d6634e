"""Splits: nothing leaks, nothing is lost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.datasets.split import Split, folds, hold_out, in_time_order


def frames_at(*places: tuple[str, int | None]) -> list[LabelledFrame]:
    return [LabelledFrame(PictureSource(Path(name), index), 64, 64, ()) for name, index in places]


places = st.lists(
    st.tuples(st.sampled_from(["a.mp4", "b.mp4"]), st.integers(0, 500)), min_size=2, max_size=40, unique=True
)


def changes_of_side(frames: list[LabelledFrame], split: Split) -> int:
    order = in_time_order(frames)
    sides = [number in split.held_out for number in order]
    return sum(left != right for left, right in pairwise(sides))


@given(places, st.integers(2, 5))
def test_folds_hold_out_each_frame_once_in_runs(spots: list[tuple[str, int]], count: int) -> None:
    frames = frames_at(*spots)
    splits = folds(frames, count)
    assert sorted(number for split in splits for number in split.held_out) == list(range(len(frames)))
    for split in splits:
        assert sorted(split.train + split.held_out) == list(range(len(frames)))
        assert split.train
        assert split.held_out
        assert changes_of_side(frames, split) <= 2


@given(places)
def test_hold_out_gives_one_run_a_video_and_loses_nothing(spots: list[tuple[str, int]]) -> None:
    frames = frames_at(*spots)
    split = hold_out(frames)
    assert sorted(split.train + split.held_out) == list(range(len(frames)))
    assert split.held_out
    assert split.train
    for name in {name for name, _ in spots}:
        own = [n for n in in_time_order(frames) if frames[n].source.path.name == name]
        sides = [number in split.held_out for number in own]
        assert sum(left != right for left, right in pairwise(sides)) <= 2


def test_hold_out_cuts_at_the_widest_pause() -> None:
    indices = [*range(20), *range(500, 506), *range(900, 904)]
    split = hold_out(frames_at(*[("a.mp4", index) for index in indices]))
    assert [indices[number] for number in split.held_out] == [*range(500, 506)]


def test_folds_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="2 frames"):
        folds(frames_at(("a.mp4", 1)), 3)


def test_hold_out_single_pictures_of_several_videos() -> None:
    split = hold_out(frames_at(*[(f"{n}.mp4", 0) for n in range(6)]))
    assert split.held_out
    assert split.train
