"""Which part of a picture is shown about things in doubt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.pipeline.part import is_cut_off, part_around
from edge_agent.wire.base import WHOLE, XyxyNorm


@pytest.mark.parametrize(
    ("boxes", "part", "shown"),
    [
        ([(0.4, 0.4, 0.6, 0.6)], (0.25, 0.25, 0.75, 0.75), (0,)),
        ([(0.0, 0.9, 0.1, 1.0)], (0.0, 0.5, 0.5, 1.0), (0,)),
        ([(0.1, 0.1, 0.15, 0.2), (0.3, 0.1, 0.35, 0.2)], (0.0, 0.0, 0.5, 0.5), (0, 1)),
        ([(0.1, 0.1, 0.15, 0.2), (0.9, 0.1, 0.95, 0.2)], (0.0, 0.0, 0.5, 0.5), (0,)),
        # too large for a part
        ([(0.1, 0.1, 0.5, 0.9), (0.9, 0.1, 0.95, 0.2)], WHOLE, (0, 1)),
    ],
)
def test_part_is_around_the_first_and_whatever_fits_beside_it(
    boxes: list[XyxyNorm], part: XyxyNorm, shown: tuple[int, ...]
) -> None:
    found, which = part_around(boxes)
    assert found == pytest.approx(part)
    assert which == shown


def _box(sides: tuple[float, float, float, float]) -> XyxyNorm:
    (left, right), (top, bottom) = sorted(sides[::2]), sorted(sides[1::2])
    return left, top, right, bottom


_FRACTION = st.floats(0.0, 1.0)
_BOXES = st.lists(st.tuples(*[_FRACTION] * 4).map(_box), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None)
@given(_BOXES)
def test_part_lies_in_the_picture_and_holds_what_is_asked_about(boxes: list[XyxyNorm]) -> None:
    part, shown = part_around(boxes)
    assert 0.0 <= part[0] < part[2] <= 1.0
    assert 0.0 <= part[1] < part[3] <= 1.0
    assert 0 in shown
    for left, top, right, bottom in (boxes[place] for place in shown):
        assert part[0] - 1e-9 <= left <= right <= part[2] + 1e-9
        assert part[1] - 1e-9 <= top <= bottom <= part[3] + 1e-9


@pytest.mark.parametrize(
    ("box", "part", "is_cut"),
    [
        ((0.0, 0.0, 1.0, 1.0), WHOLE, False),
        ((0.2, 0.2, 0.4, 0.4), (0.2, 0.2, 0.7, 0.7), False),
        ((0.0, 0.2, 0.4, 0.4), (0.2, 0.2, 0.7, 0.7), True),
        ((0.2, 0.2, 0.4, 1.0), (0.2, 0.2, 0.7, 0.7), True),
        ((0.0, 0.0, 0.4, 0.4), (0.0, 0.0, 0.5, 0.5), False),
        ((0.8, 0.8, 1.0, 1.0), (0.5, 0.5, 1.0, 1.0), False),
        ((0.8, 0.8, 1.0, 0.9), (0.0, 0.5, 0.5, 1.0), True),
    ],
)
def test_box_is_cut_off_only_where_the_picture_goes_on(box: XyxyNorm, part: XyxyNorm, is_cut: bool) -> None:
    assert is_cut_off(box, part) is is_cut
