"""The arithmetic of `streams`."""

from __future__ import annotations

import math

import pytest

from bench.streaming.child import Answer, Order, Stream
from bench.streaming.crowd import Tried, tried
from bench.streams import most_that_hold


def holding(limit: int) -> list[int]:
    """Return what was tried, and what was found last, when so many streams hold."""

    def attempt(count: int) -> Tried:
        return Tried(count, 0.1 if count <= limit else 0.9, 0.0, 0.5, 1.0)

    good, all_tried = most_that_hold(attempt, 8, 64)
    return [*(one.streams for one in all_tried), good]


@pytest.mark.parametrize(
    ("limit", "steps"),
    [
        (0, [8, 5, 3, 2, 1, 0]),
        (5, [8, 5, 6, 5]),
        (9, [8, 12, 10, 9, 9]),
        (30, [8, 12, 18, 27, 40, 33, 30, 30]),
        (64, [8, 12, 18, 27, 40, 60, 64, 64]),
    ],
)
def test_search_begins_near_the_answer_and_closes_in_to_an_eighth(limit: int, steps: list[int]) -> None:
    assert holding(limit) == steps


def test_streams_hold_only_when_answers_come_in_time_and_few_pictures_are_left_out() -> None:
    assert Tried(4, 0.5, 0.02, 0.1, 1.0).holds
    assert not Tried(4, 0.51, 0.0, 0.1, 1.0).holds
    assert not Tried(4, 0.1, 0.03, 0.1, 1.0).holds


def test_answers_of_all_processes_are_told_as_one() -> None:
    found = tried(4, [Answer((0.1,) * 99, 99, 9, 0.5), Answer((0.9,), 1, 1, 0.5)], 10.0)
    assert found.missing == pytest.approx(0.5)
    assert found.looked == pytest.approx(0.1)
    assert found.cpu_ms == pytest.approx(10.0)
    assert 0.1 <= found.p99_s < 0.9
    assert math.isinf(tried(1, [Answer((), 0, 0, 0.0)], 10.0).p99_s), "nothing came, so nothing holds"


def test_order_is_read_as_it_was_written() -> None:
    order = Order((Stream("d0", "a.mp4"), Stream("d1", "b.mp4", 0.1)), 5.0, 12.0)
    assert Order.read(order.line()) == order
