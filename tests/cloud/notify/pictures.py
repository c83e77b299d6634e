"""Pictures full of details."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def striped(width_px: int, height_px: int, stripe_px: int = 4) -> bytes:
    """Return a JPEG of black and white stripes, with a place in its metadata."""
    columns = (np.arange(width_px) // stripe_px % 2 * 255).astype(np.uint8)
    rgb = np.broadcast_to(columns[None, :, None], (height_px, width_px, 3))
    exif = Image.Exif()
    exif[0x010E] = "at home"
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(stream, "JPEG", quality=95, exif=exif)
    return stream.getvalue()


def pixels(jpeg: bytes | None) -> NDArray[np.uint8]:
    assert jpeg is not None
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def largest_jump(jpeg: bytes | None) -> int:
    """Return the largest step in brightness, 0..255, between two pixels beside each other."""
    return int(np.abs(np.diff(pixels(jpeg).astype(np.int16), axis=1)).max())
