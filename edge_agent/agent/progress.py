"""Whether every thread that must not stand still goes on: what the watchdog asks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from edge_agent.clock import Clock

LATE_S = 30.0
"""No lawful turn takes so long: neither a slow network nor a full disk."""

STUCK_S = 120.0
"""Nobody who stood still for so long goes on; only a new start helps."""


class Progress:
    """When each watched thread last came round; safe for many threads."""

    def __init__(self, clock: Clock) -> None:
        """Watch nobody yet."""
        self._clock = clock
        self._lock = threading.Lock()
        self._beats_s: dict[str, float] = {}

    def watch(self, name: str) -> Callable[[], None]:
        """Watch a thread from now on, and return what it is to call each time it comes round."""
        beat = partial(self._beat, name)
        beat()
        return beat

    def forget(self, name: str) -> None:
        """Watch a thread no longer: it ends."""
        with self._lock:
            self._beats_s.pop(name, None)

    def still(self, longer_than_s: float) -> tuple[str, ...]:
        """Return the names of those that did not come round for longer, sorted."""
        oldest_s = self._clock.monotonic_s() - longer_than_s
        with self._lock:
            return tuple(sorted(name for name, at_s in self._beats_s.items() if at_s < oldest_s))

    def _beat(self, name: str) -> None:
        now_s = self._clock.monotonic_s()
        with self._lock:
            self._beats_s[name] = now_s
