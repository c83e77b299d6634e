"""The arithmetic of `create`."""

from __future__ import annotations

import pytest

from bench.create import Persons, _fine_tune_ratio, seconds_to
from bench.creating.fine_tune import Point
from bench.creating.teach import Lesson


@pytest.mark.parametrize(
    ("curves", "expected"),
    [
        ([[(2.0, 0.5), (4.0, 0.91), (8.0, 0.93)]], 4.0),
        ([[(2.0, 0.9)], [(6.0, 0.95)]], 4.0),
        ([[(2.0, 0.95)], [(3.0, 0.92)], [(9.0, 0.5)]], 3.0),
        ([[(2.0, 0.95)], [(9.0, 0.5)]], None),
        ([[(9.0, 0.5)]], None),
        ([], None),
    ],
)
def test_seconds_to_is_the_median_of_first_times(
    curves: list[list[tuple[float, float]]], expected: float | None
) -> None:
    assert seconds_to(0.9, curves) == expected


def test_fine_tune_ratio_is_when_it_was_as_good_or_its_whole_time() -> None:
    persons = Persons(
        lessons=[[Lesson(4.0, 8.0, 0.9, 0.4)], [Lesson(5.0, 8.0, 0.9, 0.4)]],
        fine_tuned=[[Point(10.0, 0.5), Point(40.0, 0.92)], [Point(10.0, 0.5), Point(100.0, 0.8)]],
    )
    assert _fine_tune_ratio(persons) == pytest.approx((40 / 4 + 100 / 5) / 2)


def test_fine_tune_ratio_without_a_rival_is_none() -> None:
    assert _fine_tune_ratio(Persons()) is None
