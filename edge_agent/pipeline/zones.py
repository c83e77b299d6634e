"""Named parts of a camera's picture and lines in it: a thing is where its feet are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_agent.vision.arrays import Bool
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.rules import Point, Side


@dataclass(frozen=True)
class Zone:
    """A named polygon.

    Attributes:
        name: Its name.
        corners: At least three points (x, y), as fractions of the picture.
        labels: Only these labels count in it; empty: all.
        loiter_s: A thing that stays for so long loiters; none: nothing does.
    """

    name: str
    corners: tuple[Point, ...]
    labels: frozenset[str] = frozenset()
    loiter_s: float | None = None


@dataclass(frozen=True)
class Line:
    """A line with a direction.

    Attributes:
        name: Its name.
        start: Where it begins, (x, y) as fractions of the picture.
        end: Where it ends.
        labels: Only these labels count; empty: all.
        towards: Which crossings count, by the side on which they end.
    """

    name: str
    start: Point
    end: Point
    labels: frozenset[str] = frozenset()
    towards: Literal["left", "right", "both"] = "both"


def foot_of(box: XyxyNorm) -> Point:
    """Return the middle of a box's lower edge."""
    return (box[0] + box[2]) / 2, box[3]


def zones_of(box: XyxyNorm, label: str, zones: Sequence[Zone]) -> tuple[str, ...]:
    """Return the names of the zones in which the middle of the box's lower edge lies."""
    foot = foot_of(box)
    return tuple(z.name for z in zones if (not z.labels or label in z.labels) and is_inside(foot, z.corners))


def is_inside(point: Point, corners: Sequence[Point]) -> bool:
    """Return whether a point lies in a polygon, by counting the edges right of it (even-odd rule)."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def cells_inside(polygons: Sequence[Sequence[Point]], height: int, width: int) -> Bool:
    """Return which cells of a grid over the picture have their middle in a polygon, (height, width)."""
    x = ((np.arange(width) + 0.5) / width)[None, :]
    y = ((np.arange(height) + 0.5) / height)[:, None]
    covered = np.zeros((height, width), dtype=np.bool_)
    for corners in polygons:
        inside = np.zeros_like(covered)
        for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
            if y1 != y2:
                inside ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        covered |= inside
    return covered


def area_of(corners: Sequence[Point]) -> float:
    """Return the area of a polygon that does not cross itself, as a share of the picture."""
    around = zip(corners, [*corners[1:], *corners[:1]], strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in around)) / 2


def distance_right_of(start: Point, end: Point, point: Point) -> float:
    """Return how far a point lies to the right of a line, seen from its start to its end; left is negative.

    Args:
        start: Where the line begins, in fractions of the picture, y downwards.
        end: Where it ends; another point.
        point: The point.
    """
    way_x, way_y = end[0] - start[0], end[1] - start[1]
    cross = way_x * (point[1] - start[1]) - way_y * (point[0] - start[0])
    return float(cross / np.hypot(way_x, way_y))


def crossing_side(start: Point, end: Point, before: Point, after: Point) -> Side | None:
    """Return on which side of a line a straight way over it ends; none when it does not go over the line."""
    was, now = distance_right_of(start, end, before), distance_right_of(start, end, after)
    if was == 0.0 or now == 0.0 or (was > 0.0) == (now > 0.0):
        return None
    # Which share of the way lies before the (endless) line, and where on the line that is.
    share = was / (was - now)
    met_x = before[0] + share * (after[0] - before[0])
    met_y = before[1] + share * (after[1] - before[1])
    way_x, way_y = end[0] - start[0], end[1] - start[1]
    along = ((met_x - start[0]) * way_x + (met_y - start[1]) * way_y) / (way_x**2 + way_y**2)
    if not 0.0 <= along <= 1.0:
        return None
    return "right" if now > 0.0 else "left"
