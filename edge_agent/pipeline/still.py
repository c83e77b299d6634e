"""Places where something stood still: what is lost there and found again is no news."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge_agent.pipeline.boxes import iou
from edge_agent.wire.base import XyxyNorm

SAME_PLACE_IOU = 0.5
_PLACES_KEPT = 64


@dataclass(frozen=True)
class _Place:
    label: str
    box: XyxyNorm
    at_s: float


class StillPlaces:
    """Remembers the last places of one camera."""

    def __init__(self) -> None:
        """Begin with none."""
        self._places: deque[_Place] = deque(maxlen=_PLACES_KEPT)

    def remember(self, label: str, box: XyxyNorm, at_s: float) -> None:
        """Remember that a thing was last seen standing still, at monotonic seconds `at_s`."""
        self._places.append(_Place(label, box, at_s))

    def knows(self, label: str, box: XyxyNorm, at_s: float, again_s: float) -> bool:
        """Return whether such a thing stood at this place at most `again_s` seconds ago."""
        return any(
            place.label == label and at_s - place.at_s <= again_s and iou(place.box, box) >= SAME_PLACE_IOU
            for place in self._places
        )
