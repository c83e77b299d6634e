"""The frozen split: nothing that is learned from is near what is tested on, whatever is labelled when."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.evaluation.split import (
    LEAST_TEST_FRAMES,
    NEAR_S,
    TEST_SHARE,
    Candidate,
    FrameMark,
    FrozenSplit,
    Vicinity,
    draw_test,
    leaks,
)

NOTHING = Vicinity(())


def mark(frame: int, fps: float = 10.0, file: str = "clip") -> FrameMark:
    return FrameMark(file=file, frame=frame, second=frame / fps)


def candidates(frames: list[int], labels: tuple[str, ...] = ("person",)) -> list[Candidate]:
    return [Candidate(mark(frame), "clip.avi", labels) for frame in frames]


def drawn_frames(found: tuple[FrameMark, ...]) -> list[int]:
    return [one.frame for one in found]


frame_lists = st.lists(st.integers(0, 4000), min_size=30, max_size=120, unique=True)


@settings(max_examples=25, deadline=None)
@given(frames=frame_lists, later=st.lists(st.integers(0, 4000), max_size=60, unique=True))
def test_what_is_learned_from_is_never_within_a_second_of_a_test_frame(
    frames: list[int], later: list[int]
) -> None:
    """The leak test: of what is labelled at first, and of what is labelled later."""
    test = draw_test(candidates(frames), NOTHING)
    vicinity = Vicinity(test)
    taught = [frame for frame in {*frames, *later} if not vicinity.covers(mark(frame))]
    closest = min((abs(a - b.frame) / 10.0 for a in taught for b in test), default=NEAR_S + 1)
    assert closest > NEAR_S
    assert leaks([mark(frame) for frame in taught], test) == []
    assert len(leaks([mark(frame) for frame in frames], test)) >= len(test)


@settings(max_examples=15, deadline=None)
@given(frames=frame_lists, taught=st.lists(st.integers(0, 4000), min_size=1, max_size=30))
def test_draw_test_never_takes_what_a_version_has_learned_from(frames: list[int], taught: list[int]) -> None:
    marks = [mark(frame) for frame in taught]
    assert leaks(marks, draw_test(candidates(frames), Vicinity(marks))) == []


@given(frames=frame_lists)
@settings(max_examples=8, deadline=None)
def test_draw_test_does_not_depend_on_the_order_of_the_frames(frames: list[int]) -> None:
    assert draw_test(candidates(frames), NOTHING) == draw_test(candidates(frames[::-1]), NOTHING)


def test_draw_test_takes_about_a_fifth_in_runs() -> None:
    frames = list(range(0, 2000, 20))
    drawn = drawn_frames(draw_test(candidates(frames), NOTHING))
    assert len(drawn) == pytest.approx(TEST_SHARE * len(frames), abs=8)
    neighbours = sum(after - before == 20 for before, after in pairwise(drawn))
    assert neighbours >= len(drawn) - 4


def test_draw_test_dense_labels_loses_only_the_seconds_around() -> None:
    frames = list(range(0, 600, 3))
    test = Vicinity(draw_test(candidates(frames), NOTHING))
    kept = [frame for frame in frames if not test.covers(mark(frame))]
    assert len(kept) >= 0.6 * len(frames)


def test_draw_test_under_thirty_frames_gives_none_away() -> None:
    assert draw_test(candidates(list(range(0, 580, 20))), NOTHING) == ()


def test_draw_test_one_dense_second_cannot_be_split() -> None:
    assert draw_test(candidates(list(range(40)), ("person",))[:40], Vicinity([mark(20)])) == ()


def test_draw_test_leaves_most_boxes_of_a_rare_class_to_be_learned_from() -> None:
    common = candidates(list(range(0, 1600, 20)))
    rare = [Candidate(one.mark, one.name, ("person", "dog")) if i in {3, 40, 77} else one
            for i, one in enumerate(common)]  # fmt: skip
    test = {one.key for one in draw_test(rare, NOTHING)}
    left = Counter(label for one in rare if one.mark.key not in test for label in one.labels)
    assert left["dog"] >= 2
    assert len(test) >= LEAST_TEST_FRAMES


def test_draw_test_frames_without_boxes_alone_prove_nothing() -> None:
    assert draw_test(candidates(list(range(0, 800, 20)), ()), NOTHING) == ()


def image(number: int, likeness: int) -> FrameMark:
    return FrameMark(file=f"file{number}", likeness=f"{likeness:064x}")


def test_draw_test_images_nearly_equal_stay_on_one_side() -> None:
    # Pairs of nearly equal pictures, each pair unlike the others.
    looks = [hash_of(number // 2) ^ (number % 2) for number in range(40)]
    frames = [Candidate(image(n, look), f"{n:03d}.jpg", ("cat",)) for n, look in enumerate(looks)]
    test = draw_test(frames, NOTHING)
    vicinity = Vicinity(test)
    taught = [one.mark for one in frames if not vicinity.covers(one.mark)]
    pairs = {int(one.file[4:]) // 2 for one in test}
    assert len(test) >= LEAST_TEST_FRAMES
    assert not pairs & {int(one.file[4:]) // 2 for one in taught}


def hash_of(number: int) -> int:
    """Return numbers that differ in many bits."""
    return int.from_bytes(number.to_bytes(2, "big") * 16, "big") * 0x9E3779B97F4A7C15 % 2**256


def test_vicinity_same_file_as_image_and_other_files_of_video() -> None:
    vicinity = Vicinity([mark(10), image(1, 0)])
    assert vicinity.covers(mark(20))
    assert not vicinity.covers(mark(21))
    assert not vicinity.covers(mark(10, file="other"))
    assert vicinity.covers(FrameMark(file="file1"))


def test_clean_test_leaves_out_what_a_version_learned_from() -> None:
    split = FrozenSplit(test=(mark(0), mark(100), mark(200)), how="given")
    split = split.with_taught(1, [mark(105)]).with_taught(2, [mark(300)])
    assert drawn_frames(split.clean_test(1)) == [0, 200]
    assert drawn_frames(split.clean_test(2)) == [0, 100, 200]
    assert drawn_frames(split.clean_test(1, 2)) == [0, 200]
    assert FrozenSplit.from_json(split.to_json()) == split
