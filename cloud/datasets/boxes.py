"""Boxes of label files into fractions of the picture; one that reaches outside is refused, not bent."""

from __future__ import annotations

import math

from cloud.errors import InputError
from edge_agent.wire.base import XyxyNorm

TOLERANCE_PX = 1.0
"""A box may reach this far outside of its picture; it is cut there."""


def number(text: str | None, what: str) -> float:
    """Return a finite number.

    Raises:
        InputError: It is none.
    """
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        message = f"{what} is {text!r}, which is no number"
        raise InputError(message)
    return value


def box_of_pixels(
    xyxy_px: tuple[float, float, float, float],
    size_px: tuple[float, float],
    tolerance_px: float = TOLERANCE_PX,
) -> XyxyNorm:
    """Return a box as fractions of its picture, cut at its edges.

    Raises:
        InputError: It has no size, or reaches outside; the text says what, not where.
    """
    x1, y1, x2, y2 = xyxy_px
    width, height = size_px
    if x2 <= x1 or y2 <= y1:
        message = f"box {_shown(xyxy_px)} has no size; mend or remove it"
        raise InputError(message)
    if (
        max(-x1, -y1, x2 - width, y2 - height) > tolerance_px
        or x1 >= width
        or y1 >= height
        or x2 <= 0
        or y2 <= 0
    ):
        message = (
            f"box {_shown(xyxy_px)} (left, top, right, bottom) reaches outside of the "
            f"{width:g}x{height:g} picture; mend or remove it"
        )
        raise InputError(message)
    return (max(0.0, x1 / width), max(0.0, y1 / height), min(1.0, x2 / width), min(1.0, y2 / height))


def _shown(xyxy: tuple[float, float, float, float]) -> str:
    return "[" + ", ".join(f"{value:g}" for value in xyxy) + "]"
