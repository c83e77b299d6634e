"""When devices were seen, kept in memory for some seconds: not every poll shall be a write."""

from __future__ import annotations

import threading


class Sightings:
    """Takes notes from any thread, and gives them to whoever stores them, each once."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, device: str, now_s: float) -> None:
        """Note that a device spoke; UTC seconds since 1970."""
        with self._lock:
            self._seen[device] = now_s

    def forget(self, device: str) -> float | None:
        """Return the note on a device, and forget it: it said meanwhile that it leaves."""
        with self._lock:
            return self._seen.pop(device, None)

    def take(self) -> dict[str, float]:
        """Return the notes since the last call: device → UTC seconds since 1970."""
        with self._lock:
            seen, self._seen = self._seen, {}
        return seen
