"""How often each key was asked for lately, roughly, in a few bytes a key.

A count-min sketch whose counters stop at 15 and are halved now and then, so that old fame fades: the filter
of Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient Cache Admission Policy" (ACM Transactions on
Storage 13(4), 2017).
"""

from __future__ import annotations

_ROWS = 4
_MOST = 15
_PERIOD = 10
"""After so many counts a counter all are halved, as in the paper's evaluation and in Caffeine."""

_HALVED = bytes(count // 2 for count in range(256))
_MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
_WORD = (1 << 64) - 1


class Sketch:
    """Counts keys; may count one too high where keys collide, never too low."""

    def __init__(self, keys: int) -> None:
        """Make room for about so many keys that matter at the same time."""
        self._bits = max(6, (keys - 1).bit_length())
        self._counts = bytearray(_ROWS << self._bits)
        self._left = _PERIOD << self._bits

    def note(self, number: int) -> None:
        """Count a key, given as 64 bits."""
        places = self._places(number)
        least = min(self._counts[place] for place in places)
        if least < _MOST:
            for place in places:
                if self._counts[place] == least:
                    self._counts[place] = least + 1
        self._left -= 1
        if not self._left:
            self._counts = bytearray(self._counts.translate(_HALVED))
            self._left = (_PERIOD << self._bits) // 2

    def count(self, number: int) -> int:
        """Return how often a key was counted lately, 0 to 15."""
        return min(self._counts[place] for place in self._places(number))

    def _places(self, number: int) -> tuple[int, ...]:
        shift = 64 - self._bits
        return tuple(
            (row << self._bits) + (((number * mixer) & _WORD) >> shift) for row, mixer in enumerate(_MIXERS)
        )
