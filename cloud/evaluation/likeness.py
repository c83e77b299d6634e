"""Whether two pictures are nearly equal: a difference hash, made from the small grey picture.

Finer than what `cloud.datasets.looks` warns people with at import: for that all pictures of one still camera
look alike, and nothing could be kept of them to test on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from cloud.datasets.images import image_size

NEARLY_EQUAL_BITS: Final = 10
"""Of 256. Shots of one burst differ in fewer; the same still place with somebody elsewhere in it in more."""

_SIDE = 16


def likeness_of(path: Path) -> str | None:
    """Return the difference hash of an image file, 64 hexadecimal digits; none when it is all of one shade.

    Each bit tells whether the picture gets brighter to the right there.

    Raises:
        InputError: The file is no picture that can be read.
    """
    image_size(path)
    with Image.open(path) as image:
        # A JPEG is decoded at an eighth of its size, which is enough, and many times faster.
        image.draft("L", (_SIDE * 4, _SIDE * 4))
        small = np.asarray(image.convert("L").resize((_SIDE + 1, _SIDE), Image.Resampling.BOX), np.int16)
    rises = small[:, 1:] > small[:, :-1]
    return np.packbits(rises).tobytes().hex() if int(small.max()) - int(small.min()) > 1 else None


def nearly_equal(one: str | None, other: str | None) -> bool:
    """Return whether two hashes are of pictures that look the same; none is like nothing."""
    if one is None or other is None:
        return False
    return (int(one, 16) ^ int(other, 16)).bit_count() <= NEARLY_EQUAL_BITS
