"""What an index tells of an event never sorts out what fits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.search.judge import gap_share
from cloud.store.sketch import lasts_class, least_gap, most_score, sketch_of
from tests.cloud.search.seen import seen

SIDES = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)
BOXES = st.tuples(SIDES, SIDES).map(lambda sides: (sides[0][0], sides[1][0], sides[0][1], sides[1][1]))


@given(BOXES, BOXES, st.floats(0.2, 6), st.floats(0.2, 6), st.floats(0, 1))
def test_sketch_errs_only_towards_what_fits(
    first: tuple[float, float, float, float],
    second: tuple[float, float, float, float],
    aspect: float,
    other_aspect: float,
    score: float,
) -> None:
    a, b = sketch_of(first, aspect, score), sketch_of(second, other_aspect, score)
    gap = gap_share(seen(box=first, aspect=aspect), seen(box=second, aspect=other_aspect))
    assert 0 <= a < 1 << 62
    assert least_gap(a, b) <= gap
    assert score <= most_score(a) <= score + 0.003
    if max(aspect, other_aspect) <= 3.9:
        assert gap - least_gap(a, b) < 0.003


@pytest.mark.parametrize(
    ("length_s", "expected"),
    [(0.0, 0), (120.0, 0), (120.5, 1), (3600.0, 1), (86_400.0, 2), (86_401.0, 3), (math.inf, 3)],
)
def test_length_of_an_event_is_told_by_its_class(length_s: float, expected: int) -> None:
    assert lasts_class(length_s) == expected
