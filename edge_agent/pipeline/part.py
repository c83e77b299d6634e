"""Which part of a picture the cloud is shown when a thing is in doubt; pure geometry."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.wire.base import WHOLE, XyxyNorm

_SHARE = 0.5
"""Of the picture's sides: as many bytes show four times the detail, and things in pairs still fit."""

_AROUND = 0.25
"""Of a thing's own size, on each side: what is around tells what it is, and it is not cut off."""

_AT_EDGE = 0.01


def part_around(boxes: Sequence[XyxyNorm]) -> tuple[XyxyNorm, tuple[int, ...]]:
    """Return the part to show, and which of the things are whole in it, by their places.

    Things that are too large for a part are shown in the whole picture: they have detail enough.

    Args:
        boxes: Of what is in doubt, the most wanted first; at least one.
    """
    wanted = [_with_surroundings(box) for box in boxes]
    if not _fits(wanted[0]):
        return WHOLE, tuple(range(len(boxes)))
    held, inside = wanted[0], [0]
    for place, box in enumerate(wanted[1:], 1):
        both = _around_both(held, box)
        if _fits(both):
            held = both
            inside.append(place)
    left, top = (_start(held[axis], held[axis + 2]) for axis in (0, 1))
    return (left, top, left + _SHARE, top + _SHARE), tuple(inside)


def is_cut_off(box: XyxyNorm, part: XyxyNorm) -> bool:
    """Return whether a box in a part, in fractions of that, lies at an edge where the picture goes on."""
    low = any(box[axis] <= _AT_EDGE and part[axis] > 0.0 for axis in (0, 1))
    return low or any(box[axis] >= 1.0 - _AT_EDGE and part[axis] < 1.0 for axis in (2, 3))


def _with_surroundings(box: XyxyNorm) -> XyxyNorm:
    more_x, more_y = _AROUND * (box[2] - box[0]), _AROUND * (box[3] - box[1])
    return (
        max(0.0, box[0] - more_x),
        max(0.0, box[1] - more_y),
        min(1.0, box[2] + more_x),
        min(1.0, box[3] + more_y),
    )


def _fits(box: XyxyNorm) -> bool:
    return max(box[2] - box[0], box[3] - box[1]) <= _SHARE


def _around_both(one: XyxyNorm, other: XyxyNorm) -> XyxyNorm:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _start(low: float, high: float) -> float:
    """Return where the part begins so that this is in its middle, or it ends with the picture."""
    return min(max(0.0, (low + high - _SHARE) / 2), 1.0 - _SHARE)
