"""When a stream was not watched, and why: pure; `now_s` comes in.

The thread that watches keeps a `SightLog`. Whoever writes to the database asks `settle` what its news mean
for the gap that is open there: begun by somebody who died, by a person who paused the stream, or by it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["starting", "online", "offline"]
GapKind = Literal["starting", "source", "lost", "stopped", "moved", "changed", "paused"]
"""Why nobody watched: not begun yet, nothing came, the worker died, the cloud was stopped, another worker
takes it, somebody changed it, somebody paused it."""


@dataclass(frozen=True)
class Gap:
    """A time in which nothing was watched, UTC seconds since 1970; `ended_s` is none while it lasts."""

    began_s: float
    kind: GapKind
    why: str
    ended_s: float | None = None


@dataclass(frozen=True)
class Sight:
    """What a watching thread says of its stream.

    `first_s` and `watched_s` are when the first and the last picture came that were looked at; `since_s` when
    `status` became what it is. `over` are gaps that began and ended since it was asked last.
    """

    status: Status
    reason: str
    since_s: float
    first_s: float | None = None
    watched_s: float | None = None
    over: tuple[Gap, ...] = ()


class SightLog:
    """Whether pictures of one stream come and can be looked at; safe for two threads."""

    def __init__(self, now_s: float) -> None:
        """Begin, with nothing seen yet."""
        self._lock = threading.Lock()
        self._sight = Sight("starting", "being opened", now_s)

    def looked(self, at_s: float, said: str) -> None:
        """Note a picture that was looked at; `said` is what can be said of the pictures."""
        with self._lock:
            was, since_s, over = self._sight, at_s, self._sight.over
            if was.status == "offline" and was.watched_s is not None:
                over = (*over, Gap(was.watched_s, "source", was.reason, at_s))
            if was.status == "online":
                since_s = was.since_s
            first_s = at_s if was.first_s is None else was.first_s
            self._sight = Sight("online", said, since_s, first_s, at_s, over)

    def trouble(self, reason: str, now_s: float) -> None:
        """Note that no picture can be looked at, and why."""
        with self._lock:
            since_s = self._sight.since_s if self._sight.status == "offline" else now_s
            self._sight = replace(self._sight, status="offline", reason=reason, since_s=since_s)

    def take(self) -> Sight:
        """Return how it is; what was over is told once."""
        with self._lock:
            sight, self._sight = self._sight, replace(self._sight, over=())
        return sight


@dataclass(frozen=True)
class Settled:
    """What becomes of the open gap (as it is now, ended or not), and which others are to be noted."""

    open_gap: Gap | None
    others: tuple[Gap, ...] = ()


def settle(open_gap: Gap | None, sight: Sight, watched_s: float, now_s: float) -> Settled:
    """Return what the news of a stream mean for its gaps.

    Args:
        open_gap: The gap that the database knows as not ended.
        sight: What the watching thread says.
        watched_s: Until when the stream was watched, as far as the database knew.
        now_s: UTC seconds since 1970.
    """
    over = list(sight.over)
    known = None if open_gap is None else _ended(open_gap, over, sight)
    if sight.status != "offline":
        return Settled(known, tuple(over))
    last_s = watched_s if sight.watched_s is None else sight.watched_s
    if known is None or known.ended_s is not None:
        return Settled(known, (*over, Gap(last_s, "source", sight.reason)))
    if known.kind == "source":
        return Settled(replace(known, why=sight.reason), tuple(over))
    # What it was at first is over; what keeps it from being watched now is the stream itself.
    until_s = max(known.began_s, now_s)
    return Settled(replace(known, ended_s=until_s), (*over, Gap(until_s, "source", sight.reason)))


def _ended(gap: Gap, over: list[Gap], sight: Sight) -> Gap:
    """Return an open gap as the first picture after it ended it; as it was while there is none."""
    for number, one in enumerate(over):
        if (one.began_s, one.kind) == (gap.began_s, gap.kind):
            del over[number]
            return one
    if sight.first_s is None or sight.first_s <= gap.began_s:
        return gap
    return replace(gap, ended_s=sight.first_s)
