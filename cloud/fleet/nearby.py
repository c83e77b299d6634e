"""What devices found around them: kept in memory, as long as the server runs, and never stored.

Addresses and names of what stands in somebody's home are nobody's business but theirs who look right now.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Final

from edge_agent.wire.nearby import NearbyCameras

_MOST_DEVICES: Final = 1_000


@dataclass(frozen=True)
class Answers:
    """The newest answers of a device.

    Attributes:
        found: Of its last search that came to something.
        found_s: When that came; UTC seconds since 1970.
        last: Whatever it answered last.
    """

    found: NearbyCameras | None = None
    found_s: float | None = None
    last: NearbyCameras | None = None


class NearbyBook:
    """The answers of all devices, for many threads; those that answered longest ago are forgotten first."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._answers: dict[str, Answers] = {}
        self._lock = threading.Lock()

    def of(self, device: str) -> Answers:
        """Return what a device answered."""
        with self._lock:
            return self._answers.get(device, Answers())

    def begin(self, device: str) -> None:
        """Something new is asked of a device: what it answered last is over, what it found stays."""
        with self._lock:
            if device in self._answers:
                self._answers[device] = replace(self._answers[device], last=None)

    def note(self, answer: NearbyCameras, *, now_s: float) -> None:
        """Keep an answer."""
        is_search = answer.error is None and answer.added is None and answer.removed is None
        with self._lock:
            before = self._answers.pop(answer.device, Answers())
            now = replace(before, last=answer)
            self._answers[answer.device] = replace(now, found=answer, found_s=now_s) if is_search else now
            while len(self._answers) > _MOST_DEVICES:
                del self._answers[next(iter(self._answers))]

    def forget(self, device: str) -> None:
        """Forget what a device answered; another one may come to its name."""
        with self._lock:
            self._answers.pop(device, None)
