"""Whether a camera that gives pictures shows anything: black and frozen pictures are told, not hidden."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_agent.camera.frame import Brightness

_STEP_PX = 8
# Of 255; a dark room through a sensor has noise and a lamp somewhere, a lens cap has neither.
_BLACK_LEVEL = 24
_BLACK_SPREAD = 8
# A look this often tells as much as one at every picture.
_EVERY_S = 1.0
_BLIND_AFTER_S = 10.0
_FROZEN_AFTER_S = 60.0

BLACK = (
    "pictures come, but they are black; look for a cap on the lens, a lamp that is off, a stuck night mode"
)
FROZEN = "pictures come, but always the same one; restart the camera, its encoder may hang"


def is_black(rgb: NDArray[np.uint8]) -> bool:
    """Return whether a picture, (h, w, 3) uint8, is dark and without anything in it."""
    return _is_dark(_sample(rgb), Brightness(rgb))


def _sample(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return every eighth pixel of every eighth row, in one piece: what follows is quicker so."""
    return levels[::_STEP_PX, ::_STEP_PX].copy()


def _is_dark(sample: NDArray[np.uint8], of: Brightness) -> bool:
    brightest, darkest = int(sample.max()), int(sample.min())
    is_flat = (brightest - darkest) * of.step <= _BLACK_SPREAD
    return is_flat and (brightest - of.black) * of.step <= _BLACK_LEVEL


class SightWatch:
    """Says what is wrong with pictures that come, once it has been so for a while.

    A live camera's picture always trembles a little; one that is the same to the last bit for a minute comes
    from an encoder that hangs.
    """

    def __init__(self, *, may_stand_still: bool = False) -> None:
        """Begin; `may_stand_still`: the source is a recording or picture, in which nothing may move."""
        self._may_stand_still = may_stand_still
        self._black_since_s: float | None = None
        self._same_since_s = 0.0
        self._last: NDArray[np.uint8] | None = None
        self._seen_s = float("-inf")
        self._said: str | None = None

    def see(self, shown: Brightness, at_s: float) -> str | None:
        """Take the next picture at monotonic seconds; return what is wrong, if anything."""
        if at_s - self._seen_s >= _EVERY_S:
            self._seen_s, self._said = at_s, self._say(shown, at_s)
        return self._said

    def _say(self, shown: Brightness, at_s: float) -> str | None:
        sample = _sample(shown.levels)
        if not _is_dark(sample, shown):
            self._black_since_s = None
        elif self._black_since_s is None:
            self._black_since_s = at_s
        if self._last is None or not np.array_equal(sample, self._last):
            self._last, self._same_since_s = sample, at_s
        if self._black_since_s is not None and at_s - self._black_since_s >= _BLIND_AFTER_S:
            return BLACK
        if not self._may_stand_still and at_s - self._same_since_s >= _FROZEN_AFTER_S:
            return FROZEN
        return None
