"""Choosing few frames that show what all show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.active.cover import choose_covering, near_in_time, parts_of
from edge_agent.vision.arrays import Float32

CELLS, DEPTH = 20, 8


def frames(*contents: dict[int, int]) -> Float32:
    """Return looks of frames: things (number = direction of the feature) at places on an even ground."""
    looks = np.full((len(contents), CELLS, DEPTH), 0.1, np.float32)
    for look, content in zip(looks, contents, strict=True):
        for place, thing in content.items():
            look[place, thing] = 5.0
    return looks


def choose(
    looks: Float32, count: int, known: tuple[int, ...] = (), worth: Float32 | None = None
) -> list[int]:
    parts = parts_of(looks, ["cam"] * len(looks))
    free = [number for number in range(len(looks)) if number not in known]
    worth = np.ones(len(looks), np.float32) if worth is None else worth
    return choose_covering(parts, worth, known, free, count)


EMPTY: dict[int, int] = {}
FOOTAGE = frames(EMPTY, {3: 1}, EMPTY, {4: 1}, {9: 2}, EMPTY, {5: 1, 9: 2}, EMPTY, {15: 3}, EMPTY, EMPTY)


def test_first_shows_most_and_the_next_what_is_new() -> None:
    assert choose(FOOTAGE, 2) == [6, 8]


def test_what_labelled_frames_show_is_not_proposed_first() -> None:
    assert choose(FOOTAGE, 1, known=(6,)) == [8]
    assert choose(FOOTAGE, 1, known=(8,)) == [6]


def test_worth_decides_between_frames_that_show_the_same() -> None:
    looks = frames(EMPTY, {3: 1}, EMPTY, {3: 1}, EMPTY, EMPTY)
    worth = np.array([1, 0.5, 1, 0.9, 1, 1], np.float32)
    assert choose(looks, 1, worth=worth) == [3]


@given(st.integers(0, 6), st.integers(0, 2**16))
def test_choice_is_deterministic_distinct_and_of_the_free(count: int, seed: int) -> None:
    looks = np.random.default_rng(seed).random((6, CELLS, DEPTH)).astype(np.float32)
    chosen = choose(looks, count, known=(2,))
    assert chosen == choose(looks, count, known=(2,))
    assert len(set(chosen)) == len(chosen) == min(count, 5)
    assert 2 not in chosen


def test_frames_near_each_other_in_time_are_not_both_chosen() -> None:
    parts = parts_of(FOOTAGE, ["cam"] * len(FOOTAGE))
    near = near_in_time(["clip"] * len(FOOTAGE), [number * 0.4 for number in range(len(FOOTAGE))], 1.0)
    chosen = choose_covering(parts, np.ones(len(FOOTAGE), np.float32), (), range(len(FOOTAGE)), 11, near)
    assert all(abs(a - b) * 0.4 >= 1.0 for a in chosen for b in chosen if a != b)


def test_time_counts_only_within_a_clip() -> None:
    near = near_in_time(["a", "a", "b"], [0.0, 0.5, 0.5], 1.0)
    assert near.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


@pytest.mark.parametrize(
    "cameras", [["a"] * 11, ["a"] * 6 + ["b"] * 5, [str(number) for number in range(11)]]
)
def test_parts_are_where_a_frame_differs_from_what_is_usual(cameras: list[str]) -> None:
    weights = parts_of(FOOTAGE, cameras).weights
    assert weights[6, 1] > 1 > weights[6, 2]
    assert weights[0].max() < 1e-5
