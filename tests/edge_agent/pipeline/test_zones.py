"""Zones and lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_agent.pipeline.zones import (
    Zone,
    area_of,
    cells_inside,
    crossing_side,
    distance_right_of,
    is_inside,
    zones_of,
)

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
ARROW = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0))

Point = tuple[float, float]
POINTS = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
POLYGONS = st.lists(POINTS, min_size=3, max_size=8, unique=True).map(tuple)


@pytest.mark.parametrize(
    ("point", "inside"),
    [((0.5, 0.5), True), ((0.1, 0.5), False), ((0.9, 0.5), False), ((0.5, 0.1), False), ((0.5, 0.9), False)],
)
def test_is_inside_of_a_square(point: Point, inside: bool) -> None:
    assert is_inside(point, SQUARE) is inside
    assert is_inside(point, SQUARE[::-1]) is inside


def test_is_inside_of_a_dented_polygon_respects_the_dent() -> None:
    assert is_inside((0.3, 0.5), ARROW)
    assert not is_inside((0.9, 0.5), ARROW)


@given(POLYGONS, POINTS)
def test_is_inside_of_any_polygon_does_not_depend_on_where_its_corners_begin(
    corners: tuple[Point, ...], point: Point
) -> None:
    # Within rounding of an edge either answer is right.
    edges = zip(corners, [*corners[1:], corners[0]], strict=True)
    assume(all(a == b or abs(distance_right_of(a, b, point)) > 1e-9 for a, b in edges))
    expected = is_inside(point, corners)
    assert is_inside(point, [*corners[1:], corners[0]]) is expected
    assert is_inside(point, corners[::-1]) is expected


@given(st.lists(POINTS, min_size=3, max_size=3, unique=True), st.tuples(*[st.floats(0.05, 1.0)] * 3))
def test_is_inside_of_a_triangle_holds_every_mixture_of_its_corners(
    corners: list[Point], weights: tuple[float, float, float]
) -> None:
    assume(area_of(corners) > 1e-3)
    x = sum(w * c[0] for w, c in zip(weights, corners, strict=True)) / sum(weights)
    y = sum(w * c[1] for w, c in zip(weights, corners, strict=True)) / sum(weights)
    assert is_inside((x, y), corners)


@given(st.lists(POLYGONS, min_size=1, max_size=3))
def test_cells_inside_are_those_whose_middle_is_inside_of_a_polygon(
    polygons: list[tuple[Point, ...]],
) -> None:
    cells = cells_inside(polygons, 5, 7)
    middles = [[((x + 0.5) / 7, (y + 0.5) / 5) for x in range(7)] for y in range(5)]
    expected = [[any(is_inside(m, p) for p in polygons) for m in row] for row in middles]
    assert np.array_equal(cells, np.array(expected))


@pytest.mark.parametrize(("corners", "area"), [(SQUARE, 0.36), (ARROW, 0.75), (SQUARE[:3], 0.18)])
def test_area_of_a_polygon_is_its_share_of_the_picture(corners: tuple[Point, ...], area: float) -> None:
    assert area_of(corners) == pytest.approx(area)


def test_zones_of_counts_the_feet_and_the_labels() -> None:
    zones = [Zone("garden", SQUARE), Zone("cars", SQUARE, frozenset({"car"}))]
    assert zones_of((0.4, 0.1, 0.6, 0.5), "person", zones) == ("garden",)
    assert zones_of((0.4, 0.1, 0.6, 0.5), "car", zones) == ("garden", "cars")
    # head inside, feet outside
    assert zones_of((0.4, 0.5, 0.6, 0.95), "person", zones) == ()


# A line that points down the picture has the picture's left at its right hand.
DOWN = ((0.5, 0.2), (0.5, 0.8))


@pytest.mark.parametrize(
    ("before", "after", "side"),
    [
        ((0.6, 0.5), (0.4, 0.5), "right"),
        ((0.4, 0.5), (0.6, 0.5), "left"),
        ((0.4, 0.1), (0.6, 0.1), None),  # passes before its start
        ((0.4, 0.9), (0.6, 0.9), None),  # passes behind its end
        ((0.4, 0.3), (0.4, 0.7), None),  # stays on one side
        ((0.4, 0.5), (0.5, 0.5), None),  # stops on it
        ((0.45, 0.1), (0.7, 0.6), "left"),
    ],
)
def test_crossing_side_of_a_line_that_points_down(before: Point, after: Point, side: str | None) -> None:
    assert crossing_side(*DOWN, before, after) == side


@given(POINTS, POINTS, POINTS, POINTS)
def test_crossing_side_of_any_way_turns_with_the_way_and_with_the_line(
    start: Point, end: Point, before: Point, after: Point
) -> None:
    assume(np.hypot(end[0] - start[0], end[1] - start[1]) > 1e-3)
    assume(np.hypot(after[0] - before[0], after[1] - before[1]) > 1e-3)
    # Within rounding of a point that touches, either answer is right.
    near = [distance_right_of(start, end, p) for p in (before, after)]
    near += [distance_right_of(before, after, p) for p in (start, end)]
    assume(all(abs(distance) > 1e-6 for distance in near))
    side = crossing_side(start, end, before, after)
    other = {"left": "right", "right": "left", None: None}[side]
    assert crossing_side(start, end, after, before) == other
    assert crossing_side(end, start, before, after) == other
    # Two stretches cross exactly when each has its ends on both sides of the other.
    assert (side is not None) is (near[0] * near[1] < 0.0 and near[2] * near[3] < 0.0)
