"""Decisions about the order of events; pure."""

from __future__ import annotations

from collections.abc import Container, Sequence

from pydantic_core import from_json

from edge_agent.wire.event import Event

_RANK = {"new": 0, "update": 1, "end": 2}

Age = tuple[bool, float, int]
"""How late a document of an object is; the later one is greater."""


def age_of(event: Event) -> Age:
    """Return how late a document is: an ended object stays ended, else the later picture wins."""
    return event.event_type == "end", event.frame_time, _RANK[event.event_type]


def age_in(body: str) -> Age:
    """Return how late a stored document is; its JSON was checked before it was stored."""
    document = from_json(body)
    kind = document["event_type"]
    return kind == "end", float(document["frame_time"]), _RANK[kind]


def is_newer(event: Event, than: Age | None) -> bool:
    """Return whether `event` is a later state of the same object than the one known.

    Documents come in any order after an outage.
    """
    return than is None or age_of(event) >= than


def contiguous_until(start_seq: int, seqs: Container[int], gaps: Sequence[tuple[int, int]] = ()) -> int:
    """Return the highest number up to which nothing is missing.

    Args:
        start_seq: Up to here nothing is missing.
        seqs: Stored numbers.
        gaps: Ranges (first, last) that the device forgot, ascending by first.
    """
    reached = start_seq
    waiting = list(reversed(gaps))
    while True:
        while waiting and waiting[-1][0] <= reached + 1:
            reached = max(reached, waiting.pop()[1])
        if reached + 1 not in seqs:
            return reached
        reached += 1
