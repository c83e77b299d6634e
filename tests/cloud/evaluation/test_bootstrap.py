"""Intervals: they hold the figure, are the same every time, and are not given where they would mislead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.evaluation.bootstrap import (
    LEAST_STRETCHES,
    draw_weights,
    measure_difference,
    measure_uncertain,
    stretches,
)
from cloud.training.evaluate import AnsweredFrame
from tests.cloud.evaluation.answered import HERE, THERE, answered, random_frames

CLASSES = ("a", "b", "c")


def seconds(frames: list[AnsweredFrame]) -> list[float | None]:
    return [(one.frame.source.frame_index or 0) / 4 for one in frames]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_measure_uncertain_interval_is_ordered_within_bounds_and_repeats(seed: int) -> None:
    frames = random_frames(seed, 12)
    first = measure_uncertain(frames, CLASSES, seconds(frames), samples=60)
    assert first == measure_uncertain(frames, CLASSES, seconds(frames), samples=60)
    if first.ap50.low is not None and first.ap50.high is not None:
        assert 0.0 <= first.ap50.low <= first.ap50.high <= 1.0


def test_measure_uncertain_perfect_detector_is_certain() -> None:
    frames = [answered([("a", HERE)], [("a", 0.9, HERE)], number) for number in range(0, 90, 10)]
    measured = measure_uncertain(frames, ("a",), [float(number) for number in range(0, 90, 10)])
    assert (measured.ap50.low, measured.ap50.value, measured.ap50.high) == pytest.approx((1.0, 1.0, 1.0))


def test_measure_uncertain_too_few_stretches_gives_no_interval() -> None:
    frames = random_frames(1, 12)
    assert measure_uncertain(frames, CLASSES, [0.1] * 12).ap50.low is None
    assert LEAST_STRETCHES == 4


def test_measure_uncertain_nothing_to_find_is_zero() -> None:
    frames = [answered([], [], number) for number in range(5)]
    assert measure_uncertain(frames, ("a",), [float(9 * n) for n in range(5)]).ap50.value == 0.0


def test_measure_difference_same_answers_is_nothing() -> None:
    frames = random_frames(5, 12)
    difference = measure_difference(frames, frames, CLASSES, seconds(frames), samples=60)
    assert (difference.ap50.low, difference.ap50.value, difference.ap50.high) == (0.0, 0.0, 0.0)


def test_measure_difference_is_surer_than_two_intervals() -> None:
    """Paired draws: what is hard for both does not blur the difference."""
    hard = [[("a", HERE), ("a", THERE)] if number % 2 else [("a", HERE)] for number in range(20)]
    times: list[float | None] = [3.0 * number for number in range(20)]
    before = [answered(truth, [("a", 0.9, THERE)], n) for n, truth in enumerate(hard)]
    after = [answered(truth, [("a", 0.9, truth[-1][1])], n) for n, truth in enumerate(hard)]
    difference = measure_difference(before, after, ("a",), times, samples=300).ap50
    alone = measure_uncertain(after, ("a",), times, samples=300).ap50
    assert difference.low is not None
    assert alone.low is not None
    assert difference.low > 0.0


def test_measure_difference_other_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="same frames"):
        measure_difference(random_frames(1, 3), random_frames(1, 4), CLASSES, [None] * 3)


def test_stretches_frames_within_two_seconds_are_drawn_together() -> None:
    frames = [answered([], [], number) for number in range(5)]
    numbers = stretches(frames, [0.0, 1.9, 2.0, 3.0, 6.0])
    assert numbers.tolist() == [0, 0, 1, 1, 2]
    weights = draw_weights(numbers, 50, seed=3)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert np.unique(weights.sum(1)).size > 1
