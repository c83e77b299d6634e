"""The plan looks at few pictures, and at enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.scan.plan import BEFORE, ScanSettings, Shown, first_looks, next_looks
from edge_agent.wire.detection import Detection

SETTINGS = ScanSettings()


def thing(x: float = 0.2, label: str = "person", score: float = 0.9) -> Detection:
    return Detection(label=label, score=score, box=(x, 0.2, x + 0.1, 0.5))


def shown(*things: Detection) -> Shown:
    ordered = sorted(things, key=lambda one: -one.score)
    surely, likely = ([one for one in ordered if one.score >= least] for least in (0.5, 0.4))
    return Shown(surely, likely, ordered)


@pytest.mark.parametrize(
    ("open_at", "expected"),
    [
        ("", []),
        ("....", []),
        ("####", [0, 3]),
        ("##########", [0, 4, 8, 9]),
        ("..#..", [2]),
        (".###.##", [1, 3, 5, 6]),
    ],
)
def test_first_looks_are_ends_of_motion_and_a_few_between(open_at: str, expected: list[int]) -> None:
    assert first_looks([sign == "#" for sign in open_at], 4) == expected


@pytest.mark.parametrize(
    ("open_at", "expected"), [("", []), ("##", [1]), ("########", [3, 7]), (".##", [1, 2]), ("#.#", [0, 2])]
)
def test_first_looks_go_on_from_a_look_before_the_window(open_at: str, expected: list[int]) -> None:
    assert first_looks([sign == "#" for sign in open_at], 4, after_look=True) == expected


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6))
def test_first_looks_are_never_far_apart_while_something_moves(open_at: list[bool], stride: int) -> None:
    looks = set(first_looks(open_at, stride))
    for index, is_open in enumerate(open_at):
        nearby = range(max(0, index - stride + 1), index + 1)
        assert not is_open or any(at in looks for at in nearby)


P, FAR, DIM, FAINT = thing(), thing(0.7), thing(score=0.45), thing(score=0.2)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([[], [], []], []),
        ([[P], [P], [P]], []),
        ([[P, FAR], [thing(0.21), thing(0.71)], [P, FAR]], []),
        # The first came, or the last went; if it is there faintly all the same, nobody cares.
        ([[], [P], [P]], [2]),
        ([[P], [P], []], [6]),
        ([[FAINT], [P], [P]], []),
        # In company it does not matter when exactly.
        ([[FAR], [FAR, P], [FAR, P]], []),
        # Seen once, by itself, with something else, or hardly again: it may be a flicker.
        ([[], [P], []], [2, 6]),
        ([[FAR], [FAR, P], [FAR]], [2, 6]),
        ([[FAR], [FAR, P], [FAR, DIM], [FAR]], [2, 6, 10]),
        # What is there at the end of a window is seen by the next one.
        ([[FAR], [FAR, P]], []),
        ([[FAR], [FAR, DIM], [FAR]], []),
        ([[FAR], [FAR, thing(label="dog")], [FAR, P]], [2, 6]),
    ],
)
def test_looks_that_leave_something_open_ask_for_another_one(
    row: list[list[Detection]], expected: list[int]
) -> None:
    seen = {4 * number: shown(*things) for number, things in enumerate([*row, row[-1]])}
    assert next_looks([True] * (4 * len(row) + 1), seen, SETTINGS) == expected


def test_nothing_is_asked_where_nothing_moves_nor_of_what_was_seen_often() -> None:
    open_at = [True] * 9
    once = {0: shown(FAR), 4: shown(FAR, P), 8: shown(FAR)}
    assert next_looks([*open_at[:2], False, *open_at[3:]], once, SETTINGS) == [6]
    often = {at: shown(FAR, DIM) if at % 2 else shown(FAR, P) for at in range(1, 5)}
    assert next_looks(open_at, {0: shown(FAR), **often, 8: shown(FAR)}, SETTINGS) == []


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 40), st.booleans())
def test_plan_finds_the_picture_before_and_the_first_with_a_thing(
    open_at: list[bool], came_at: int, after_look: bool
) -> None:
    seen = {BEFORE: shown()} if after_look else {}
    looks = first_looks(open_at, SETTINGS.stride, after_look=after_look)
    while looks:
        assert not set(looks) & set(seen)
        seen |= {look: shown(thing()) if look >= came_at else shown() for look in looks}
        looks = next_looks(open_at, seen, SETTINGS)
    assert all(open_at[look] for look in seen if look != BEFORE)
    if came_at < len(open_at) and open_at[came_at] and (open_at[came_at - 1] if came_at else after_look):
        assert {came_at - 1, came_at} <= set(seen)
