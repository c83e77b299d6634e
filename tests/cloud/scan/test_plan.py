"""The plan looks at few pictures, and at enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.scan.plan import ScanSettings, agree, first_looks, next_looks
from edge_agent.wire.detection import Detection

SETTINGS = ScanSettings()


def thing(x: float = 0.2, label: str = "person") -> Detection:
    return Detection(label=label, score=0.9, box=(x, 0.2, x + 0.1, 0.5))


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
    ("before", "after", "expected"),
    [
        ([], [], True),
        ([thing()], [], False),
        ([thing()], [thing(0.22)], True),
        ([thing()], [thing(0.8)], False),
        ([thing()], [thing(label="dog")], False),
        ([thing(), thing(0.6)], [thing(0.61), thing(0.21)], True),
        ([thing(), thing(0.6)], [thing(0.61), thing(0.62)], False),
    ],
)
def test_looks_agree_when_the_same_things_are_about_there(
    before: list[Detection], after: list[Detection], expected: bool
) -> None:
    assert agree(before, after, SETTINGS) is expected


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 40))
def test_plan_finds_the_picture_before_and_the_first_with_a_thing(open_at: list[bool], came_at: int) -> None:
    seen: dict[int, list[Detection]] = {}
    looks = first_looks(open_at, SETTINGS.stride)
    while looks:
        assert not set(looks) & set(seen)
        seen |= {look: [thing()] if look >= came_at else [] for look in looks}
        looks = next_looks(open_at, seen, SETTINGS)
    assert all(open_at[look] for look in seen)
    if 0 < came_at < len(open_at) and open_at[came_at - 1] and open_at[came_at]:
        assert {came_at - 1, came_at} <= set(seen)
