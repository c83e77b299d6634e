"""Zones."""

from __future__ import annotations

import pytest

from edge_agent.pipeline.zones import Zone, is_inside, zones_of

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
ARROW = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("point", "inside"),
    [((0.5, 0.5), True), ((0.1, 0.5), False), ((0.9, 0.5), False), ((0.5, 0.1), False), ((0.5, 0.9), False)],
)
def test_is_inside_of_a_square(point: tuple[float, float], inside: bool) -> None:
    assert is_inside(point, SQUARE) is inside
    assert is_inside(point, SQUARE[::-1]) is inside


def test_is_inside_of_a_dented_polygon_respects_the_dent() -> None:
    assert is_inside((0.3, 0.5), ARROW)
    assert not is_inside((0.9, 0.5), ARROW)


def test_zones_of_counts_the_feet_and_the_labels() -> None:
    zones = [Zone("garden", SQUARE), Zone("cars", SQUARE, frozenset({"car"}))]
    assert zones_of((0.4, 0.1, 0.6, 0.5), "person", zones) == ("garden",)
    assert zones_of((0.4, 0.1, 0.6, 0.5), "car", zones) == ("garden", "cars")
    # head inside, feet outside
    assert zones_of((0.4, 0.5, 0.6, 0.95), "person", zones) == ()
