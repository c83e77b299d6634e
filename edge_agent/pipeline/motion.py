"""How one thing moves: a Kalman filter of its centre, and its stillness.

The two directions are filtered apart, with position and velocity each. All deviations are in sizes of the
thing (root of its area), so that near and far things are followed alike, and grow with the seconds between
sights, so that 2 and 25 pictures a second are too. Plain numbers: for a handful of things, arrays of two
numbers cost more than they save.
"""

from __future__ import annotations

import math

from edge_agent.wire.base import XyxyNorm

# Detections of walkers scatter by 0.06 to 0.08 sizes; double that, for the few that are far off.
_SIGHT_SIZES = 0.12
# Walkers do 0.9 sizes a second, as a rule.
_FIRST_SPEED_SIZES = 1.0
# Root of the density of white acceleration, sizes per second to the power 1.5.
_UNREST_SIZES = 0.5
# A box's width swings with the legs: its size is a mean over about this long.
_SIZE_S = 0.6
# A thing that is not seen is not followed further than this.
_MAX_PREDICTION_S = 1.0
_MOVE_SHARE = 0.25
# A sight further off than that, in sizes, was not foretold.
_FORETOLD_SIZES = 0.4


class _Axis:
    """Position and velocity in one direction, with their covariance."""

    def __init__(self, position: float, size: float) -> None:
        """Begin at rest, of which little is known; `size` is the thing's, in the position's unit."""
        self.position, self.velocity = position, 0.0
        self._pp, self._pv, self._vv = (_SIGHT_SIZES * size) ** 2, 0.0, (_FIRST_SPEED_SIZES * size) ** 2

    def predicted(self, ahead_s: float) -> float:
        """Return the position after some time."""
        return self.position + self.velocity * ahead_s

    def see(self, position: float, passed_s: float, size: float) -> None:
        """Take a sight, `passed_s` after the last."""
        unrest = (_UNREST_SIZES * size) ** 2
        pp = self._pp + passed_s * (2.0 * self._pv + passed_s * self._vv) + unrest * passed_s**3 / 3.0
        pv = self._pv + passed_s * self._vv + unrest * passed_s**2 / 2.0
        vv = self._vv + unrest * passed_s
        error = position - self.predicted(passed_s)
        doubt = pp + (_SIGHT_SIZES * size) ** 2
        gain, velocity_gain = pp / doubt, pv / doubt
        self.position = self.predicted(passed_s) + gain * error
        self.velocity += velocity_gain * error
        self._pp, self._pv, self._vv = (1.0 - gain) * pp, (1.0 - gain) * pv, vv - velocity_gain * pv


class Motion:
    """Position, velocity and rest of one thing, in fractions of the picture and seconds.

    Attributes:
        path_norm: Way so far, in picture widths.
        still_since_s: When it came to rest where it is.
        foretold_since_s: Since when it is seen where it was foretold.
    """

    def __init__(self, box: XyxyNorm, at_s: float, tall: float = 1.0) -> None:
        """Begin at rest; `tall` is the picture's height in widths."""
        self._width, self._height = box[2] - box[0], box[3] - box[1]
        size = self._size(tall)
        self._x = _Axis((box[0] + box[2]) / 2, size)
        self._y = _Axis((box[1] + box[3]) / 2, size / tall)
        self._anchor = (self._x.position, self._y.position)
        self._last_s = self.still_since_s = self.foretold_since_s = at_s
        self.path_norm = 0.0

    def predicted(self, at_s: float) -> tuple[float, float, float, float]:
        """Return where it should be, xyxy, perhaps partly outside the picture."""
        ahead_s = min(max(0.0, at_s - self._last_s), _MAX_PREDICTION_S)
        x, y = self._x.predicted(ahead_s), self._y.predicted(ahead_s)
        return x - self._width / 2, y - self._height / 2, x + self._width / 2, y + self._height / 2

    def see(self, box: XyxyNorm, at_s: float, tall: float) -> None:
        """Take a new sight; `tall` is the picture's height in widths."""
        passed_s, size = max(at_s - self._last_s, 1e-3), self._size(tall)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        off = math.hypot(x - self._x.predicted(passed_s), (y - self._y.predicted(passed_s)) * tall)
        if off > _FORETOLD_SIZES * size:
            self.foretold_since_s = at_s
        self._x.see(x, passed_s, size)
        self._y.see(y, passed_s, size / tall)
        share = 1.0 - math.exp(-passed_s / _SIZE_S)
        self._width += share * (box[2] - box[0] - self._width)
        self._height += share * (box[3] - box[1] - self._height)
        self._last_s = at_s
        self._leave_anchor(at_s, tall)

    def _size(self, tall: float) -> float:
        """Return the root of its area, in picture widths."""
        return math.sqrt(max(self._width * self._height * tall, 1e-12))

    def _leave_anchor(self, at_s: float, tall: float) -> None:
        x, y = self._x.position, self._y.position
        way = math.hypot(x - self._anchor[0], (y - self._anchor[1]) * tall)
        if way > _MOVE_SHARE * math.hypot(self._width, self._height * tall):
            self.path_norm += way
            self._anchor = (x, y)
            self.still_since_s = at_s
