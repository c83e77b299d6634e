"""Pictures from outside are hostile until decoded: what can be told from their first bytes, and decoding."""

from __future__ import annotations

import numpy as np
import simplejpeg

from cloud.errors import InputError
from edge_agent.vision.arrays import Rgb

MAX_JPEG_BYTES = 8_000_000
MAX_PIXELS = 16_000_000
MAX_SCANNED_PIXELS = 200_000_000
"""Pixels times scans: a progressive JPEG of few bytes can ask for thousands of passes."""

_SCAN = b"\xff\xda"


def check_picture(jpeg: bytes) -> None:
    """Check what can be checked without decoding.

    Raises:
        InputError: It is not a JPEG, or would take too long to decode.
    """
    if len(jpeg) > MAX_JPEG_BYTES:
        message = f"the picture has {len(jpeg)} bytes; at most {MAX_JPEG_BYTES} are taken"
        raise InputError(message)
    try:
        height_px, width_px, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError as error:
        message = "the picture is not a JPEG"
        raise InputError(message) from error
    size = f"{width_px}x{height_px} px"
    if height_px * width_px > MAX_PIXELS:
        message = f"the picture is {size}; at most {MAX_PIXELS} pixels are taken"
        raise InputError(message)
    # Inside a scan 0xFF is always followed by 0x00 or a restart mark, so this counts scans (and thumbnails).
    scans = jpeg.count(_SCAN)
    if height_px * width_px * scans > MAX_SCANNED_PIXELS:
        message = f"the picture is {size} in {scans} scans; send it as a baseline JPEG"
        raise InputError(message)


def decoded(jpeg: bytes) -> Rgb:
    """Return the picture, `(h, w, 3) uint8 RGB`.

    Raises:
        InputError: It is damaged.
    """
    try:
        return np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"), np.uint8)
    except ValueError as error:
        message = "the picture is damaged"
        raise InputError(message) from error
