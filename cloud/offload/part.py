"""A part of a frame, looked at as the detector would see it in the whole frame; pure.

A camera that is in doubt about one thing sends what is around it, in full detail. Enlarged to the network's
whole input, things would be larger than any that taught the detector; in an input that is as much smaller as
the part is, they have their size, and the look costs as much less.
"""

from __future__ import annotations

from typing import Final

from edge_agent.wire.base import WHOLE, XyxyNorm

_STRIDE_PX: Final = 32
_LEAST_PX: Final = 64


def look_size(
    input_px: tuple[int, int], picture_px: tuple[int, int], part: XyxyNorm = WHOLE
) -> tuple[int, int]:
    """Return width and height of the network input for a picture; never larger than the detector's.

    Args:
        input_px: Width and height of the detector's input, for whole frames.
        picture_px: Width and height of the picture.
        part: Of the frame, that the picture shows.
    """
    shares = part[2] - part[0], part[3] - part[1]
    if shares == (1.0, 1.0):
        return input_px
    scale = min(whole * share / side for whole, share, side in zip(input_px, shares, picture_px, strict=True))
    width, height = (
        min(whole, max(_LEAST_PX, -(-round(side * scale) // _STRIDE_PX) * _STRIDE_PX))
        for whole, side in zip(input_px, picture_px, strict=True)
    )
    return width, height
