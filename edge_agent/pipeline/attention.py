"""What a look must show: what changed, what moves, and whatever is new or missing.

What stands still, is sure and untouched by any change need not be shown: the last look told of it. Nor need
what has been missing for long, until it is time to look for it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edge_agent.pipeline.cadence import LookSettings, asks_now, roomy
from edge_agent.pipeline.gate import GateDecision, GateReason
from edge_agent.pipeline.track import Track, Tracker
from edge_agent.vision.arrays import Bool
from edge_agent.wire.base import WHOLE, XyxyNorm

_ABOUT_A_PART: frozenset[GateReason] = frozenset({"motion", "asked"})
"""Other looks are to find what nobody expects."""

_STILL_S = 2.0
"""What has not moved for so long stands."""


class Attention:
    """Keeps when the whole picture of one camera was looked at last."""

    def __init__(self, settings: LookSettings) -> None:
        """Begin with a picture that is looked at as a whole."""
        self._settings = settings
        self._whole_s = float("-inf")

    def boxes(
        self, gate: GateDecision, stirred: Bool, tracker: Tracker, at_s: float, tall: float
    ) -> tuple[XyxyNorm, ...] | None:
        """Return what a look must show; none: the whole picture.

        Args:
            gate: Why there is a look.
            stirred: As in `worth_showing`; no cells: it is not known what changed.
            tracker: Follows things.
            at_s: The picture's moment, monotonic seconds.
            tall: The picture's height in widths.
        """
        settings = self._settings
        is_overdue = at_s - self._whole_s >= settings.whole_every_s
        if gate.reason not in _ABOUT_A_PART or is_overdue or not stirred.size:
            return None
        return worth_showing(tracker.tracks, stirred, at_s, tall, settings)

    def note(self, parts: Sequence[XyxyNorm], at_s: float) -> None:
        """Take what was looked at."""
        if WHOLE in parts:
            self._whole_s = at_s


def worth_showing(
    tracks: Sequence[Track], stirred: Bool, at_s: float, tall: float, settings: LookSettings
) -> tuple[XyxyNorm, ...]:
    """Return boxes of all that a look must show; fractions of the picture, perhaps partly outside of it.

    Args:
        tracks: What is followed.
        stirred: Which cells of a grid (h, w) over the picture changed.
        at_s: The picture's moment, monotonic seconds.
        tall: The picture's height in widths.
        settings: How to look.
    """
    changes = boxes_of(stirred)
    boxes = ((track, roomy(track.motion.predicted(at_s), tall, settings.margin)) for track in tracks)
    shown = (
        box
        for track, box in boxes
        if _moves(track) or asks_now(track, at_s, settings) or any(_meet(box, change) for change in changes)
    )
    return (*changes, *shown)


def boxes_of(cells: Bool) -> tuple[XyxyNorm, ...]:
    """Return boxes around groups of cells, (h, w) over the picture, parted by empty rows or columns."""
    height, width = cells.shape
    return tuple(
        (left / width, top / height, right / width, bottom / height)
        for left, top, right, bottom in _groups(cells, 0, 0)
    )


def _moves(track: Track) -> bool:
    return track.misses == 0 and track.last_s - track.motion.still_since_s < _STILL_S


def _groups(cells: Bool, left: int, top: int) -> Iterator[tuple[int, int, int, int]]:
    across, down = (_runs(np.asarray(cells.any(axis=axis))) for axis in (0, 1))
    if len(across) == 1 and len(down) == 1:
        yield left + across[0][0], top + down[0][0], left + across[0][1], top + down[0][1]
        return
    for x1, x2 in across:
        for y1, y2 in down:
            yield from _groups(cells[y1:y2, x1:x2], left + x1, top + y1)


def _runs(filled: Bool) -> list[tuple[int, int]]:
    """Return begin and end of each run of true ones."""
    # Of a hundred cells, bytes tell by far quicker than arrays.
    cells, runs = filled.tobytes(), []
    start = cells.find(1)
    while start >= 0:
        end = cells.find(0, start)
        end = len(cells) if end < 0 else end
        runs.append((start, end))
        start = cells.find(1, end)
    return runs


def _meet(one: XyxyNorm, other: XyxyNorm) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
