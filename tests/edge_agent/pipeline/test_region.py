"""Which parts of a network's input are looked at."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.pipeline.region import MARGIN_PX, STRIDE_PX, Region, cover, cut, holds
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.base import XyxyNorm

SIZE_PX = (512, 384)


def px(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(boxes, np.float32).reshape(-1, 4)


def _box(middle: tuple[float, float], half: tuple[float, float]) -> tuple[float, float, float, float]:
    return middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1]


_MIDDLES = st.tuples(st.floats(-60.0, 570.0), st.floats(-60.0, 440.0))
_HALVES = st.tuples(st.floats(0.0, 60.0), st.floats(0.0, 60.0))
_BOXES = st.lists(st.builds(_box, _MIDDLES, _HALVES), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("boxes", "regions"),
    [
        ([(200, 100, 220, 160)], [(160, 64, 96, 128)]),
        ([(0, 0, 10, 10)], [(0, 0, 64, 64)]),
        ([(500, 370, 512, 384)], [(448, 320, 64, 64)]),
        # left the picture
        ([(530, 100, 560, 160)], [(448, 64, 64, 128)]),
        ([(40, 40, 60, 90), (420, 250, 450, 330)], [(0, 0, 96, 128), (384, 224, 96, 128)]),
        # side by side: one look instead of two
        ([(40, 40, 60, 90), (130, 40, 150, 90)], [(0, 0, 192, 128)]),
        # all over the picture: it is looked at as a whole
        ([(40, 40, 160, 190), (420, 250, 450, 330), (60, 250, 190, 330), (300, 40, 440, 150)], []),
        ([(100, 50, 450, 330)], []),
        ([], []),
    ],
)
def test_regions_are_few_and_small(
    boxes: list[tuple[float, float, float, float]], regions: list[tuple[int, int, int, int]]
) -> None:
    assert set(cover(px(*boxes), SIZE_PX)) == {Region(*one) for one in regions}


@settings(max_examples=150, deadline=None)
@given(_BOXES)
def test_regions_hold_all_boxes_on_the_grid_and_never_meet(
    boxes: list[tuple[float, float, float, float]],
) -> None:
    regions = cover(px(*boxes), SIZE_PX)
    for one in regions:
        assert all(side % STRIDE_PX == 0 for side in (one.left_px, one.top_px, one.width_px, one.height_px))
        assert 0 <= one.left_px < one.right_px <= SIZE_PX[0]
        assert 0 <= one.top_px < one.bottom_px <= SIZE_PX[1]
    assert not any(one.meets(other) for one, other in combinations(regions, 2))
    assert sum(one.width_px * one.height_px for one in regions) < 0.75 * SIZE_PX[0] * SIZE_PX[1]
    boxed = letterbox(np.zeros((360, 480, 3), np.uint8), *SIZE_PX, 127)
    cuts = [cut(boxed, region) for region in regions]
    for box in boxed.to_source_norm(px(*boxes)).tolist():
        assert not cuts or any(_nearly_holds(part.known, box) for part in cuts)


def _nearly_holds(outer: XyxyNorm, inner: list[float]) -> bool:
    """Return whether one box lies in another, give or take how coarse numbers are."""
    return holds((outer[0] - 1e-5, outer[1] - 1e-5, outer[2] + 1e-5, outer[3] + 1e-5), inner)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(360, 480), (270, 480), (480, 270)]),
    st.integers(0, 12), st.integers(0, 8), st.integers(4, 8),
    st.lists(st.floats(0.0, 128.0, width=32), min_size=4, max_size=4),
)  # fmt: skip
def test_box_in_a_part_is_where_it_is_in_the_whole(
    shape: tuple[int, int], across: int, down: int, cells: int, sides: list[float]
) -> None:
    boxed = letterbox(np.zeros((*shape, 3), np.uint8), *SIZE_PX, 127)
    left_px, top_px = min(across * 32, 512 - cells * 32), min(down * 32, 384 - cells * 32)
    part = cut(boxed, Region(left_px, top_px, cells * 32, cells * 32))
    box = px((*np.minimum(sides[:2], sides[2:]), *np.maximum(sides[:2], sides[2:])))
    moved = box + np.array([left_px, top_px] * 2, np.float32)
    assert part.boxed.to_source_norm(box) == pytest.approx(boxed.to_source_norm(moved), abs=1e-6)
    assert part.boxed.pixels.shape == (cells * 32, cells * 32, 3)


def test_part_shows_the_pixels_that_are_there() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (384, 512, 3)).astype(np.uint8)
    part = cut(letterbox(rgb, *SIZE_PX, 127), Region(64, 32, 128, 192))
    assert np.array_equal(part.boxed.pixels, rgb[32:224, 64:192])


def test_part_is_known_up_to_a_margin_where_the_picture_goes_on() -> None:
    boxed = letterbox(np.zeros((384, 512, 3), np.uint8), *SIZE_PX, 127)
    corner, middle = cut(boxed, Region(0, 0, 128, 128)), cut(boxed, Region(128, 128, 128, 128))
    known = 128 - MARGIN_PX
    assert corner.known == pytest.approx((0.0, 0.0, known / 512, known / 384))
    assert middle.known == pytest.approx(
        ((128 + MARGIN_PX) / 512, (128 + MARGIN_PX) / 384, (256 - MARGIN_PX) / 512, (256 - MARGIN_PX) / 384)
    )
    assert holds(middle.told, middle.known)


@pytest.mark.parametrize(
    ("inner", "held"),
    [
        ((0.2, 0.2, 0.4, 0.4), True),
        ((0.0, 0.1, 0.5, 0.5), True),
        # beyond the picture's edge there is nothing to see
        ((-0.2, 0.1, 0.5, 0.5), True),
        ((0.2, 0.2, 0.6, 0.4), False),
        ((0.2, 0.05, 0.4, 0.4), False),
    ],
)
def test_part_holds_what_lies_in_it(inner: tuple[float, float, float, float], held: bool) -> None:
    assert holds((0.0, 0.1, 0.5, 0.5), inner) == held
