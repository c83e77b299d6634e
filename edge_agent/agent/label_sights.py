"""What is said of one label: how many, how many stand still, and its best sight."""

from __future__ import annotations

from edge_agent.pipeline.events import SeenObject
from edge_agent.wire.status import LabelAttributes


def count_still(slug: str, in_view: tuple[SeenObject, ...]) -> int:
    """Return how many things of a label in view stand still."""
    return sum(thing.stationary for thing in in_view if thing.label == slug)


def sight_of(label: str, slug: str, count: int, in_view: tuple[SeenObject, ...]) -> LabelAttributes:
    """Return the best sight of a label now in view, and how many there are.

    Args:
        label: As people call it.
        slug: As topics name it.
        count: How many are in view.
        in_view: Everything in view.
    """
    best = max(
        (thing for thing in in_view if thing.label == slug), key=lambda thing: thing.score, default=None
    )
    if best is None:
        return LabelAttributes(label=label, count=count)
    return LabelAttributes(
        label=label,
        count=count,
        stationary=count_still(slug, in_view),
        score=best.score,
        box=best.box,
        zones=best.zones,
        detector=best.detector,
        answered_by=best.answered_by,
        event_id=best.event_id,
    )
