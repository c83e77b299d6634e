"""The picture of a curve."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from bench.creating.curve import Series, draw_curve

SERIES = [
    Series("ours", [(2.0, 0.8), (8.0, 0.95)], [(2.0, 0.8), (8.0, 0.95)]),
    Series("stock <untaught>", [], [(2.0, 0.7), (120.0, 0.7)]),
]


def circles(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]


def test_draw_curve_is_well_formed_with_every_name() -> None:
    svg = draw_curve("a & b", SERIES)
    root = ET.fromstring(svg)
    words = "".join(root.itertext())
    assert "ours" in words
    assert "stock <untaught>" in words
    assert "a & b" in words


def test_draw_curve_later_is_further_right_and_better_is_higher() -> None:
    (x1, y1), (x2, y2) = circles(draw_curve("t", SERIES))
    assert x1 < x2
    assert y1 > y2


def test_draw_curve_everything_lies_inside_the_picture() -> None:
    for x, y in circles(draw_curve("t", SERIES)):
        assert 0 < x < 640
        assert 0 < y < 340
