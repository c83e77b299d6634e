"""Confirmation by the median."""

from __future__ import annotations

import pytest

from edge_agent.pipeline.confirm import is_confirmed, median_score


@pytest.mark.parametrize(
    ("scores", "middle"),
    [([], 0.0), ([0.9], 0.0), ([0.9, 0.8], 0.8), ([0.9, 0.2, 0.8], 0.8), ([0.1, 0.1, 0.9, 0.9], 0.5)],
)
def test_median_score_fills_short_histories_with_zeros(scores: list[float], middle: float) -> None:
    assert median_score(scores) == pytest.approx(middle)


def test_is_confirmed_one_lucky_score_is_not_enough() -> None:
    assert not is_confirmed([1.0], 0.5)
    assert not is_confirmed([0.2, 1.0, 0.2, 0.3], 0.5)
    assert is_confirmed([0.6, 0.7], 0.5)
