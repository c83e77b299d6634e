"""What an index tells of an event beside its times: about how long it lasts, where it was, how sure it was.

Searches sort out by it what cannot fit, and read the documents of what is left. A sketch errs to one side:
boxes grow to the next step, scores are rounded up, so nothing that fits is sorted out.
"""

from __future__ import annotations

import math

LASTS_S = (120.0, 3600.0, 86_400.0, math.inf)
"""Events of class k last so long at most; those of class 0 are most."""

LONG_CLASSES = tuple(range(1, len(LASTS_S)))

_STEPS = 2048
_MOST = (1 << 13) - 1
_SCORES = (1 << 10) - 1


def lasts_class(length_s: float) -> int:
    """Return the class of events that last so long."""
    return next(number for number, most_s in enumerate(LASTS_S) if length_s <= most_s)


def sketch_of(box: tuple[float, float, float, float], aspect: float, score: float) -> int:
    """Return a box and a score in 62 bits.

    Args:
        box: Normalised xyxy.
        aspect: Height of the picture by its width.
        score: 0..1, of the best look.
    """
    x1, y1, x2, y2 = box
    low = (math.floor(x1 * _STEPS), math.floor(y1 * aspect * _STEPS))
    high = (math.ceil(x2 * _STEPS), math.ceil(y2 * aspect * _STEPS))
    packed = 0
    for step in (*low, *high):
        packed = packed << 13 | min(max(step, 0), _MOST)
    return packed << 10 | min(max(math.ceil(score * _SCORES), 0), _SCORES)


def least_gap(a: int, b: int) -> float:
    """Return how far two boxes lie apart at least, as a share of the picture's width."""
    a_x1, a_y1, a_x2, a_y2 = _steps_of(a)
    b_x1, b_y1, b_x2, b_y2 = _steps_of(b)
    across = max(0, a_x1 - b_x2, b_x1 - a_x2)
    down = max(0, a_y1 - b_y2, b_y1 - a_y2)
    return math.hypot(across / _STEPS, down / _STEPS)


def most_score(sketch: int) -> float:
    """Return what the score is at most."""
    return ((sketch & _SCORES) + 1) / _SCORES


def _steps_of(sketch: int) -> tuple[int, int, int, int]:
    return sketch >> 49 & _MOST, sketch >> 36 & _MOST, sketch >> 23 & _MOST, sketch >> 10 & _MOST
