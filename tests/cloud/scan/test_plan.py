"""The plan looks at few pictures, and at enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.scan.plan import BEFORE, ScanSettings, Shown, agree, first_looks, next_looks
from edge_agent.wire.detection import Detection

SETTINGS = ScanSettings()


def thing(x: float = 0.2, label: str = "person", score: float = 0.9) -> Detection:
    return Detection(label=label, score=score, box=(x, 0.2, x + 0.1, 0.5))


def shown(*things: Detection) -> Shown:
    return Shown([one for one in things if one.score >= 0.5], things)


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


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], True),
        ([thing()], [], False),
        ([thing()], [thing(0.22)], True),
        ([thing()], [thing(0.8)], False),
        ([thing()], [thing(label="dog")], False),
        ([thing(), thing(0.6)], [thing(0.61), thing(0.21)], True),
        ([thing(), thing(0.6)], [thing(0.61), thing(0.62)], False),
        ([thing()], [thing(score=0.2)], True),
        ([thing(score=0.2)], [], True),
        ([thing(), thing(0.6)], [thing(0.61), thing(0.8, score=0.2)], False),
    ],
)
def test_looks_agree_when_what_is_surely_in_one_is_in_the_other(
    before: list[Detection], after: list[Detection], expected: bool
) -> None:
    assert agree(shown(*before), shown(*after), SETTINGS) is expected
    assert agree(shown(*after), shown(*before), SETTINGS) is expected


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
