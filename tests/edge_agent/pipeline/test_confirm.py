"""Confirmation by the median."""

from __future__ import annotations

import pytest

from edge_agent.pipeline.confirm import median_score


@pytest.mark.parametrize(
    ("scores", "middle"),
    [
        ([], 0.0),
        ([1.0], 0.0),
        ([0.9, 0.8], 0.8),
        ([0.9, 0.2, 0.8], 0.8),
        ([0.1, 0.1, 0.9, 0.9], 0.5),
        ([0.2, 1.0, 0.2, 0.3], 0.25),
    ],
)
def test_median_score_one_lucky_score_is_not_enough(scores: list[float], middle: float) -> None:
    assert median_score(scores) == pytest.approx(middle)
