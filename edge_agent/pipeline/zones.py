"""Parts of a camera's picture with a name: an object is where its feet are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.wire.base import XyxyNorm


@dataclass(frozen=True)
class Zone:
    """A named polygon.

    Attributes:
        name: Its name.
        corners: At least three points (x, y), as fractions of the picture.
        labels: Only these labels count in it; empty: all.
    """

    name: str
    corners: tuple[tuple[float, float], ...]
    labels: frozenset[str] = frozenset()


def zones_of(box: XyxyNorm, label: str, zones: Sequence[Zone]) -> tuple[str, ...]:
    """Return the names of the zones in which the middle of the box's lower edge lies."""
    foot = ((box[0] + box[2]) / 2, box[3])
    return tuple(z.name for z in zones if (not z.labels or label in z.labels) and is_inside(foot, z.corners))


def is_inside(point: tuple[float, float], corners: Sequence[tuple[float, float]]) -> bool:
    """Return whether a point lies in a polygon, by counting the edges right of it (even-odd rule)."""
    x, y = point
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside
