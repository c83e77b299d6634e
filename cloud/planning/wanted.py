"""How many workers are wanted now: pure. An autoscaler reads it, and a plan reckons with the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp

from cloud.planning.ask import Ask
from cloud.planning.figures import Figures
from cloud.planning.needs import bring, heads, look, total

_BUSY = 0.7
"""Workers are to be so busy: above, what comes at once has to wait."""

_CLEAR_S = 1.0
"""What waits now is to be answered within so long."""

_REST_S = 300.0
"""So long fewer workers were wanted all the time before any is ended: to start one takes seconds."""

_MINUTE_S = 60.0


@dataclass(frozen=True)
class Watched:
    """What is to be watched: how many streams, pictures a second of all of them, detectors of all of them."""

    streams: int = 0
    fps: float = 0.0
    detectors: int = 0


def stream_workers_wanted(watched: Watched, known: Figures) -> int:
    """Return how many processes it takes to watch; a core each."""
    if watched.streams == 0:
        return 0
    ask = Ask(
        streams=watched.streams,
        detectors=max(watched.detectors, watched.streams),
        fps=max(0.1, min(60.0, watched.fps / watched.streams)),
    )
    return ceil(total([bring(ask, known), look(ask, known), heads(ask, known)]).cores / _BUSY)


def offload_workers_wanted(waiting: int, asked_per_s: float, picture_ms: float) -> int:
    """Return how many workers it takes to answer cameras; one at least.

    Args:
        waiting: Pictures that wait or are looked at.
        asked_per_s: Of pictures, lately; those that were refused for want of room too.
        picture_ms: How long a picture takes a worker.
    """
    picture_s = picture_ms / 1000.0
    steady = asked_per_s * picture_s / _BUSY
    at_once = waiting * picture_s / _CLEAR_S
    return max(1, ceil(steady), ceil(at_once))


class Follower:
    """How many workers there shall be: as many as are wanted at once, fewer only once that held for long."""

    def __init__(self, least: int, most: int) -> None:
        """Begin with the least."""
        self._least, self._most = least, max(least, most)
        self._count, self._peak, self._since_s = least, 0, 0.0

    def follow(self, wanted: int, now_s: float) -> int:
        """Return how many there shall be now."""
        wanted = min(max(wanted, self._least), self._most)
        if wanted >= self._count:
            self._count, self._peak, self._since_s = wanted, 0, now_s
            return self._count
        self._peak = max(self._peak, wanted)
        if now_s - self._since_s > _REST_S:
            self._count, self._peak, self._since_s = self._peak, 0, now_s
        return self._count


class Rate:
    """How often something happens, the last minute counting most."""

    def __init__(self) -> None:
        self._per_s, self._at_s = 0.0, 0.0

    def note(self, now_s: float) -> None:
        """Note that it happened."""
        self._per_s, self._at_s = self.per_s(now_s) + 1.0 / _MINUTE_S, now_s

    def per_s(self, now_s: float) -> float:
        """Return how often a second."""
        return self._per_s * exp(-max(0.0, now_s - self._at_s) / _MINUTE_S)
