"""The arithmetic of `streams`."""

from __future__ import annotations

import pytest

from bench.streams import Tried, most_that_hold


def holding(limit: int) -> list[int]:
    """Return what was tried, and what was found last, when so many streams hold."""

    def attempt(count: int) -> Tried:
        return Tried(count, 0.1 if count <= limit else 0.9, 0.0, 0.5)

    good, tried = most_that_hold(attempt, 64)
    return [*(one.streams for one in tried), good]


@pytest.mark.parametrize(
    ("limit", "steps"),
    [
        (0, [1, 0]),
        (3, [1, 2, 4, 3, 3]),
        (5, [1, 2, 4, 8, 6, 5, 5]),
        (64, [1, 2, 4, 8, 16, 32, 64, 64]),
    ],
)
def test_search_doubles_then_closes_in(limit: int, steps: list[int]) -> None:
    assert holding(limit) == steps


def test_streams_hold_only_when_answers_come_in_time_and_few_pictures_are_left_out() -> None:
    assert Tried(4, 0.5, 0.02, 0.1).holds
    assert not Tried(4, 0.51, 0.0, 0.1).holds
    assert not Tried(4, 0.1, 0.03, 0.1).holds
