"""Which worker watches which stream: pure, the same everywhere, so that workers need nobody who tells them.

A stream stays where it is. One that nobody watches goes to a worker that looks with its detectors already,
unless others have clearly less to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_DETECTOR_COST = 0.1
"""What one more detector costs, compared with looking at a picture at all."""

_SLACK = 1.0
"""Affinity counts among workers whose load is within so many usual streams of the least."""

_UNEVEN = 2.0
"""A worker with so many usual streams more than another gives one to it."""


@dataclass(frozen=True)
class Placed:
    """A stream that is to be watched; `holder` is who watches it now."""

    stream_id: str
    detectors: frozenset[str]
    cost: float
    holder: str | None = None


@dataclass
class _Worker:
    name: str
    load: float = 0.0
    detectors: set[str] = field(default_factory=set)

    def add(self, stream: Placed) -> None:
        self.load += stream.cost
        self.detectors |= stream.detectors


def cost_of(fps: float, detectors: int) -> float:
    """Return what watching a stream costs, in pictures a second looked at by one detector."""
    return fps * (1.0 + _DETECTOR_COST * max(0, detectors - 1))


def place(streams: Sequence[Placed], workers: Sequence[str]) -> dict[str, str]:
    """Return for each stream that nobody watches the worker that shall.

    Args:
        streams: All that are to be watched.
        workers: Those that live; a holder that is not among them counts as none.
    """
    filled, free = _filled(streams, workers)
    usual = _usual(streams)
    places: dict[str, str] = {}
    for stream in sorted(free, key=lambda one: (-one.cost, one.stream_id)):
        if not filled:
            break
        least = min(worker.load for worker in filled.values())
        near = [one for one in filled.values() if one.load <= least + _SLACK * usual]
        chosen = min(near, key=lambda one: (-len(one.detectors & stream.detectors), one.load, one.name))
        chosen.add(stream)
        places[stream.stream_id] = chosen.name
    return places


def to_move(streams: Sequence[Placed], workers: Sequence[str]) -> str | None:
    """Return the one stream that its holder shall let go, so that a worker with far less to do takes it."""
    filled, free = _filled(streams, workers)
    if free or not filled:
        return None
    most = max(filled.values(), key=lambda one: (one.load, one.name))
    least = min(filled.values(), key=lambda one: (one.load, one.name))
    uneven = most.load - least.load
    movable = [one for one in streams if one.holder == most.name and one.cost < uneven]
    if uneven < _UNEVEN * _usual(streams) or not movable:
        return None
    return min(movable, key=lambda one: (-len(least.detectors & one.detectors), one.stream_id)).stream_id


def _filled(streams: Sequence[Placed], workers: Sequence[str]) -> tuple[Mapping[str, _Worker], list[Placed]]:
    filled = {name: _Worker(name) for name in sorted(workers)}
    free = []
    for stream in streams:
        if stream.holder in filled:
            filled[stream.holder].add(stream)
        else:
            free.append(stream)
    return filled, free


def _usual(streams: Sequence[Placed]) -> float:
    costs = sorted(stream.cost for stream in streams)
    return costs[len(costs) // 2] if costs else 1.0
