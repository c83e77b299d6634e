"""Better, worse, or not to be told: the table of cases."""

from __future__ import annotations

import pytest

from cloud.evaluation.bootstrap import Estimate
from cloud.evaluation.verdict import Verdict, told, verdict_of


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (Estimate(0.05, 0.01, 0.09), "better"),
        (Estimate(0.05, 0.0, 0.1), "not measurably different"),
        (Estimate(0.05, -0.01, 0.11), "not measurably different"),
        (Estimate(0.004, 0.001, 0.007), "not measurably different"),
        (Estimate(0.0, 0.0, 0.0), "not measurably different"),
        (Estimate(-0.004, -0.007, -0.001), "not measurably different"),
        (Estimate(-0.05, -0.11, 0.01), "not measurably different"),
        (Estimate(-0.05, -0.09, -0.01), "worse"),
        (Estimate(0.3), "not compared"),
        (Estimate(-0.3), "not compared"),
        (None, "not compared"),
    ],
)
def test_verdict_of_every_case(difference: Estimate | None, expected: Verdict) -> None:
    assert verdict_of(difference) == expected
    words = told(expected, 3, 2, difference, 25)
    assert "version 3" in words
    assert ("stays in use" in words) == (expected == "worse")
