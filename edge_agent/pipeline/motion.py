"""How one thing moves: an alpha-beta filter (Kalman's with fixed gains) of its centre, and its stillness.

Plain numbers: for a handful of things, arrays of two numbers cost more than they save.
"""

from __future__ import annotations

import math

from edge_agent.wire.base import XyxyNorm

_POSITION_GAIN = 0.7
_VELOCITY_GAIN = 0.4
# One step says little: a wrong match must not send the prediction away for good.
_FIRST_VELOCITY_GAIN = 0.7
_SIZE_GAIN = 0.5
# A thing that is not seen is not followed further than this.
_MAX_PREDICTION_S = 1.0
_MOVE_SHARE = 0.25


class Motion:
    """Position, velocity and rest of one thing, in fractions of the picture and seconds.

    Attributes:
        path_norm: Way so far, in picture widths.
        still_since_s: When it came to rest where it is.
    """

    def __init__(self, box: XyxyNorm, at_s: float) -> None:
        """Begin at rest."""
        self._x, self._y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        self._width, self._height = box[2] - box[0], box[3] - box[1]
        self._velocity_x = self._velocity_y = 0.0
        self._gain = _FIRST_VELOCITY_GAIN
        self._anchor = (self._x, self._y)
        self._last_s = self.still_since_s = at_s
        self.path_norm = 0.0

    def predicted(self, at_s: float) -> tuple[float, float, float, float]:
        """Return where it should be, xyxy, perhaps partly outside the picture."""
        ahead_s = min(max(0.0, at_s - self._last_s), _MAX_PREDICTION_S)
        x, y = self._x + self._velocity_x * ahead_s, self._y + self._velocity_y * ahead_s
        return x - self._width / 2, y - self._height / 2, x + self._width / 2, y + self._height / 2

    def see(self, box: XyxyNorm, at_s: float, tall: float) -> None:
        """Take a new sight; `tall` is the picture's height in widths."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        passed_s = max(at_s - self._last_s, 1e-3)
        ahead_s = min(passed_s, _MAX_PREDICTION_S)
        guess_x, guess_y = self._x + self._velocity_x * ahead_s, self._y + self._velocity_y * ahead_s
        self._velocity_x += self._gain / passed_s * (x - guess_x)
        self._velocity_y += self._gain / passed_s * (y - guess_y)
        self._gain = _VELOCITY_GAIN
        self._x = guess_x + _POSITION_GAIN * (x - guess_x)
        self._y = guess_y + _POSITION_GAIN * (y - guess_y)
        self._width += _SIZE_GAIN * (box[2] - box[0] - self._width)
        self._height += _SIZE_GAIN * (box[3] - box[1] - self._height)
        self._last_s = at_s
        self._leave_anchor(at_s, tall)

    def _leave_anchor(self, at_s: float, tall: float) -> None:
        way_x, way_y = self._x - self._anchor[0], (self._y - self._anchor[1]) * tall
        size = math.hypot(self._width, self._height * tall)
        if math.hypot(way_x, way_y) > _MOVE_SHARE * size:
            self.path_norm += math.hypot(way_x, way_y)
            self._anchor = (self._x, self._y)
            self.still_since_s = at_s
