"""What counts as an event that only one pipeline tells of."""

from __future__ import annotations

import pytest

from bench.asking.compare import Course, Errors, Replay, compare

HERE, THERE = (0.1, 0.1, 0.2, 0.3), (0.6, 0.1, 0.7, 0.3)


def course(first: int, last: int, box: tuple[float, float, float, float] = HERE) -> Course:
    return dict.fromkeys(range(first, last), box)


@pytest.mark.parametrize(
    ("truth", "told", "errors"),
    [
        ([course(0, 20)], [course(5, 25)], Errors(0, 0)),
        ([course(0, 20)], [course(0, 20, THERE)], Errors(1, 1)),
        ([course(0, 20)], [course(18, 60)], Errors(1, 1)),
        ([course(0, 40)], [course(0, 15), course(20, 40)], Errors(0, 1)),
        ([course(0, 10), course(30, 50)], [course(30, 50)], Errors(1, 0)),
        ([], [course(0, 3)], Errors(0, 1)),
    ],
)
def test_compare_counts_events_without_a_counterpart(
    truth: list[Course], told: list[Course], errors: Errors
) -> None:
    assert compare(Replay(tuple(truth), 0, 0, 60), Replay(tuple(told), 0, 0, 60)) == errors
