"""Intervals: they hold the figure, are the same every time, and are not given where they would mislead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.evaluation.bootstrap import (
    LEAST_STRETCHES,
    Uncertain,
    difference,
    draw,
    draw_weights,
    estimated,
    stretches,
)
from cloud.training.evaluate import AnsweredFrame
from tests.cloud.evaluation.answered import HERE, THERE, answered, random_frames

CLASSES = ("a", "b", "c")


def measured(
    frames: list[AnsweredFrame], classes: tuple[str, ...], times: list[float | None], samples: int = 60
) -> Uncertain:
    return estimated(draw(frames, classes, times, samples=samples))


def seconds(frames: list[AnsweredFrame]) -> list[float | None]:
    return [(one.frame.source.frame_index or 0) / 4 for one in frames]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_draw_interval_is_ordered_within_bounds_and_repeats(seed: int) -> None:
    frames = random_frames(seed, 12)
    first = measured(frames, CLASSES, seconds(frames))
    assert first == measured(frames, CLASSES, seconds(frames))
    if first.ap50.low is not None and first.ap50.high is not None:
        assert 0.0 <= first.ap50.low <= first.ap50.high <= 1.0


def test_draw_perfect_detector_is_certain() -> None:
    frames = [answered([("a", HERE)], [("a", 0.9, HERE)], number) for number in range(0, 90, 10)]
    ap50 = measured(frames, ("a",), [float(number) for number in range(0, 90, 10)]).ap50
    assert (ap50.low, ap50.value, ap50.high) == pytest.approx((1.0, 1.0, 1.0))


def test_draw_too_few_stretches_gives_no_interval() -> None:
    frames = random_frames(1, 12)
    assert measured(frames, CLASSES, [0.1] * 12).ap50.low is None
    assert LEAST_STRETCHES == 4


def test_draw_nothing_to_find_is_zero() -> None:
    frames = [answered([], [], number) for number in range(5)]
    assert measured(frames, ("a",), [float(9 * n) for n in range(5)]).ap50.value == 0.0


def test_difference_same_answers_is_nothing() -> None:
    frames = random_frames(5, 12)
    drawn = draw(frames, CLASSES, seconds(frames), samples=60)
    ap50 = difference(drawn, drawn).ap50
    assert (ap50.low, ap50.value, ap50.high) == (0.0, 0.0, 0.0)


def test_difference_is_surer_than_two_intervals() -> None:
    """Paired draws: what is hard for both does not blur the difference."""
    hard = [[("a", HERE), ("a", THERE)] if number % 2 else [("a", HERE)] for number in range(20)]
    times: list[float | None] = [3.0 * number for number in range(20)]
    before = [answered(truth, [("a", 0.9, THERE)], n) for n, truth in enumerate(hard)]
    after = [answered(truth, [("a", 0.9, truth[-1][1])], n) for n, truth in enumerate(hard)]
    drawn = [draw(answers, ("a",), times, samples=300) for answers in (before, after)]
    grown, alone = difference(*drawn).ap50, [estimated(one).ap50 for one in drawn]
    assert grown.low is not None
    assert grown.high is not None
    assert grown.low > 0.0
    apart = sum((one.high or 0.0) - (one.low or 0.0) for one in alone)
    assert grown.high - grown.low < apart


def test_stretches_frames_within_two_seconds_are_drawn_together() -> None:
    frames = [answered([], [], number) for number in range(5)]
    numbers = stretches(frames, [0.0, 1.9, 2.0, 3.0, 6.0])
    assert numbers.tolist() == [0, 0, 1, 1, 2]
    weights = draw_weights(numbers, 50, seed=3)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert np.unique(weights.sum(1)).size > 1
