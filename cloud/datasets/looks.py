"""Which pictures look alike: a perceptual hash, 128 bits of gradients and the colours of a 2x2 grid.

The gradients are dHash (Krawetz, 2013), along rows and along columns. Colours are compared too, because a
picture without gradients (sky, a wall at night) has a hash that says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_agent.vision.arrays import Rgb

NEAR_BITS = 10
NEAR_COLOUR = 24
_SIDE = 8
_HASH_BYTES = 2 * _SIDE * _SIDE // 8
_CODE_BYTES = _HASH_BYTES + 2 * 2 * 3
_BITS = np.array([value.bit_count() for value in range(256)], np.uint8)

_Bytes = npt.NDArray[np.uint8]


def look_of(rgb: Rgb) -> str:
    """Return the look of a picture `(h, w, 3) uint8 RGB` as hexadecimal text."""
    image = Image.fromarray(rgb)
    grey = image.convert("L")
    along = np.asarray(grey.resize((_SIDE + 1, _SIDE), Image.Resampling.BOX), np.int16)
    down = np.asarray(grey.resize((_SIDE, _SIDE + 1), Image.Resampling.BOX), np.int16)
    bits = np.concatenate([(np.diff(along, axis=1) > 0).ravel(), (np.diff(down, axis=0) > 0).ravel()])
    colours = np.asarray(image.resize((2, 2), Image.Resampling.BOX), np.uint8)
    return np.packbits(bits).tobytes().hex() + colours.tobytes().hex()


def near_duplicate_groups(looks: Sequence[str]) -> list[tuple[int, ...]]:
    """Return groups of at least two pictures that look alike, as ascending numbers into `looks`.

    Likeness is handed on: of three pictures in a row, the first and the last are in one group when the one
    between is like both. Whoever splits pictures keeps a group on one side.
    """
    leader = list(range(len(looks)))

    def lead(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    codes = _codes(looks)
    for number in range(len(looks)):
        for other in np.flatnonzero(_is_near(codes[number], codes[:number])):
            one, two = lead(number), lead(int(other))
            leader[max(one, two)] = min(one, two)
    groups: dict[int, list[int]] = {}
    for number in range(len(looks)):
        groups.setdefault(lead(number), []).append(number)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _codes(looks: Sequence[str]) -> _Bytes:
    return np.array([list(bytes.fromhex(look)) for look in looks], np.uint8).reshape(len(looks), _CODE_BYTES)


def _is_near(one: _Bytes, others: _Bytes) -> npt.NDArray[np.bool_]:
    """Tell of each of `others`, (n, bytes), whether it is like `one`, (bytes,)."""
    if not len(others):
        return np.zeros(0, np.bool_)
    bits = _BITS[others[:, :_HASH_BYTES] ^ one[:_HASH_BYTES]].sum(axis=1)
    colours = others[:, _HASH_BYTES:].astype(np.int16) - one[_HASH_BYTES:].astype(np.int16)
    near: npt.NDArray[np.bool_] = (bits <= NEAR_BITS) & (np.abs(colours).max(axis=1) <= NEAR_COLOUR)
    return near
