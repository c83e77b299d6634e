"""What one pipeline tells of a film against what another one does."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.pipeline.boxes import iou
from edge_agent.wire.base import XyxyNorm

_MIN_IOU = 0.3
_MIN_SHARED = 0.5
"""Of the shorter of two events: so long they must show the same thing to count as the same."""

Course = dict[int, XyxyNorm]
"""Where the thing of one event was, by frame."""


@dataclass(frozen=True)
class Replay:
    """What one pipeline told: the course of each event, and how many pictures it sent of how many."""

    events: tuple[Course, ...]
    sent: int
    sent_bytes: int
    frames: int


@dataclass(frozen=True)
class Errors:
    """Events that only one of two pipelines tells of."""

    missed: int
    false: int

    @property
    def all(self) -> int:
        """Return how many there are."""
        return self.missed + self.false


def compare(truth: Replay, told: Replay) -> Errors:
    """Return what a pipeline told wrong: events are paired greedily, the longest in common first."""
    pairs = sorted(
        (
            (shared, one, other)
            for one, ours in enumerate(truth.events)
            for other, theirs in enumerate(told.events)
            if (shared := _shared(ours, theirs)) >= _MIN_SHARED * min(len(ours), len(theirs))
        ),
        reverse=True,
    )
    ours_found: set[int] = set()
    theirs_found: set[int] = set()
    for _, one, other in pairs:
        if one not in ours_found and other not in theirs_found:
            ours_found.add(one)
            theirs_found.add(other)
    return Errors(len(truth.events) - len(ours_found), len(told.events) - len(theirs_found))


def _shared(ours: Course, theirs: Course) -> int:
    """Return in how many frames two events are in the same place."""
    return sum(iou(ours[frame], theirs[frame]) >= _MIN_IOU for frame in ours.keys() & theirs.keys())
