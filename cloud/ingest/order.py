"""Decisions about the order of events; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge_agent.wire.event import Event

_RANK = {"new": 0, "update": 1, "end": 2}


def is_newer(event: Event, than: Event | None) -> bool:
    """Return whether `event` is a later state of the same object than the one known.

    Documents come in any order after an outage: an ended object stays ended, else the later picture wins.
    """
    return than is None or _age(event) >= _age(than)


def contiguous_until(start_seq: int, seqs: Iterable[int], gaps: Sequence[tuple[int, int]] = ()) -> int:
    """Return the highest number up to which nothing is missing.

    Args:
        start_seq: Up to here nothing is missing.
        seqs: Stored numbers above it, ascending.
        gaps: Ranges (first, last) that the device forgot, ascending by first.
    """
    reached = start_seq
    waiting = list(gaps)
    for seq in seqs:
        reached = _skip_gaps(reached, waiting)
        if seq > reached + 1:
            return reached
        reached = max(reached, seq)
    return _skip_gaps(reached, waiting)


def _skip_gaps(reached: int, waiting: list[tuple[int, int]]) -> int:
    while waiting and waiting[0][0] <= reached + 1:
        reached = max(reached, waiting.pop(0)[1])
    return reached


def _age(event: Event) -> tuple[bool, float, int]:
    return event.event_type == "end", event.frame_time, _RANK[event.event_type]
