"""Which state is later, and up to where nothing is missing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.ingest.order import age_in, age_of, contiguous_until, is_newer
from edge_agent.wire.event import Event
from tests.cloud.homes import later
from tests.fakes.events import make_event

NEW = make_event(1)
HISTORY = (NEW, later(NEW, 1.0), later(NEW, 2.0), later(NEW, 3.0, "end"))


@pytest.mark.parametrize("order", list(itertools.permutations(HISTORY)))
def test_latest_state_is_the_same_in_any_order_of_arrival(order: tuple[Event, ...]) -> None:
    latest: Event | None = None
    for event in order:
        if is_newer(event, None if latest is None else age_of(latest)):
            latest = event
    assert latest == HISTORY[-1]


def test_update_with_a_later_picture_does_not_reopen_an_ended_event() -> None:
    assert not is_newer(later(NEW, 9.0), age_of(later(NEW, 1.0, "end")))


@pytest.mark.parametrize("event", HISTORY)
def test_stored_document_is_as_late_as_the_event(event: Event) -> None:
    assert age_in(event.to_json()) == age_of(event)


@pytest.mark.parametrize(
    ("start", "seqs", "gaps", "reached"),
    [
        (0, [], [], 0),
        (0, [1, 2, 3], [], 3),
        (0, [2, 3], [], 0),
        (2, [3, 5], [], 3),
        (0, [3], [(1, 2)], 3),
        (0, [1, 4], [(2, 3)], 4),
        (0, [1], [(2, 9)], 9),
        (0, [1, 4], [(2, 2)], 2),
        (5, [], [(1, 7)], 7),
        (0, [1, 2, 7], [(3, 4), (5, 6)], 7),
    ],
)
def test_contiguous_until(start: int, seqs: list[int], gaps: list[tuple[int, int]], reached: int) -> None:
    assert contiguous_until(start, seqs, gaps) == reached


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
def test_contiguous_until_is_the_first_hole_less_one(stored: set[int], forgotten: set[int]) -> None:
    known = stored | forgotten
    first_hole = next(number for number in range(1, 42) if number not in known)
    gaps = [(number, number) for number in sorted(forgotten)]
    assert contiguous_until(0, stored, gaps) == first_hole - 1
