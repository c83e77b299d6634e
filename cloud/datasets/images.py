"""Image files into upright RGB; a small file that pretends to be huge is refused before it is decoded."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cloud.errors import InputError
from edge_agent.vision.arrays import Rgb

MAX_PIXELS = 64_000_000

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_REASONS = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def read_image(path: Path) -> Rgb:
    """Return an image file as `(h, w, 3) uint8 RGB`, turned as its EXIF says.

    Raises:
        InputError: No such file, not an image, damaged or over `MAX_PIXELS`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"{path.name}: cannot be opened ({error.strerror})"
        raise InputError(message) from error
    return decode_image(data, path.name)


def decode_image(data: bytes, name: str) -> Rgb:
    """Return an encoded image as `(h, w, 3) uint8 RGB`, turned as its EXIF says.

    Args:
        data: JPEG, PNG, WebP, BMP or TIFF (its first page).
        name: What to call it in errors.

    Raises:
        InputError: Not an image, damaged or over `MAX_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            # Our own limit stands below; the library's warning would only repeat it.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(image.width, image.height, name)
                upright = ImageOps.exif_transpose(image)
                return np.asarray(upright.convert("RGB"), np.uint8)
    except InputError:
        raise
    except _REASONS as error:
        message = f"{name}: cannot be read as an image; give an undamaged JPEG, PNG, WebP, BMP or TIFF"
        raise InputError(message) from error


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the upright image, reading only its header.

    Raises:
        InputError: No such file, not an image, or over `MAX_PIXELS`.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            _check_size(image.width, image.height, path.name)
            turned = image.getexif().get(_ORIENTATION_TAG, 1) >= _FIRST_TURNED_ORIENTATION
            return (image.height, image.width) if turned else (image.width, image.height)
    except InputError:
        raise
    except _REASONS as error:
        message = f"{path.name}: cannot be read as an image; give an undamaged JPEG, PNG, WebP, BMP or TIFF"
        raise InputError(message) from error


_ORIENTATION_TAG = 0x0112
_FIRST_TURNED_ORIENTATION = 5


def _check_size(width_px: int, height_px: int, name: str) -> None:
    if width_px * height_px > MAX_PIXELS:
        message = f"{name}: {width_px}x{height_px} is over {MAX_PIXELS} pixels; scale it down"
        raise InputError(message)
