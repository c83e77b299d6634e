"""Which frame is proposed next: far from all labels, never one that is labelled."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.worker.next_frames import Footage, farthest_frames

VIDEO = Footage("video", 600, 10.0)


def test_file_without_labels_comes_first_and_from_its_middle() -> None:
    first, *_ = farthest_frames([VIDEO, Footage("other", 100, 10.0)], {"video": {5}}, 3)
    assert (first.media_id, first.reason) == ("other", "nothing is labelled in this file yet")
    assert 40 <= first.frame_index <= 60


def test_next_frame_lies_in_the_widest_gap() -> None:
    (frame,) = farthest_frames([VIDEO], {"video": {0, 100, 500, 599}}, 1)
    assert 290 <= frame.frame_index <= 310
    assert frame.reason == "20 s from any labels"


def test_pictures_are_proposed_once_each_and_labelled_ones_never() -> None:
    pictures = [Footage(name, 1, None) for name in "abc"]
    frames = farthest_frames(pictures, {"b": {0}}, 10)
    assert [frame.media_id for frame in frames] == ["a", "c"]


def test_nothing_is_proposed_when_there_is_nothing() -> None:
    assert farthest_frames([], {}, 4) == ()


@settings(max_examples=40)
@given(
    frames=st.integers(1, 400),
    labelled=st.sets(st.integers(0, 399), max_size=30),
    count=st.integers(0, 12),
)
def test_proposed_frames_are_new_different_and_exist(frames: int, labelled: set[int], count: int) -> None:
    chosen = [
        one.frame_index for one in farthest_frames([Footage("v", frames, 25.0)], {"v": labelled}, count)
    ]
    assert len(set(chosen)) == len(chosen) <= count
    assert not set(chosen) & labelled
    assert all(0 <= index < frames for index in chosen)
