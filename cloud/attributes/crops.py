"""What the second stage looks at: a box and a little around it, as a square picture."""

from __future__ import annotations

from edge_agent.pipeline.attributes import crop_around
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.base import XyxyNorm

CROP_PX = 128
AROUND_SHARE = 0.15
PAD_VALUE = 127


def square_crop(rgb: Rgb, box: XyxyNorm) -> Rgb:
    """Return what the embedding network gets of a box.

    Args:
        rgb: The picture, `(h, w, 3) uint8`.
        box: Where the thing is, as fractions of the picture.

    Returns:
        `(CROP_PX, CROP_PX, 3) uint8`; what does not fill the square is grey.
    """
    return letterbox(crop_around(rgb, box, AROUND_SHARE), CROP_PX, CROP_PX, PAD_VALUE).pixels


def shown_crop(rgb: Rgb, box: XyxyNorm) -> Rgb:
    """Return the same without the grey, for people to look at; its longer side is `CROP_PX`."""
    boxed = letterbox(crop_around(rgb, box, AROUND_SHARE), CROP_PX, CROP_PX, PAD_VALUE)
    top, left = boxed.top_px, boxed.left_px
    return boxed.pixels[top : top + boxed.content_height_px, left : left + boxed.content_width_px]
