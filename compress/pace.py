"""A clock for budgets: it goes slower while other programs have the processor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edge_agent.clock import Clock

MOST_PATIENT = 3.0
"""However little of the machine there is, a budget ends after so many times its seconds."""

Waits = Mapping[str, tuple[float, float]]
"""Of each thread of this process: seconds on a processor, and seconds in which it could have worked."""


def thread_waits() -> Waits:
    """Return what Linux counts of this process's threads; nothing where it does not."""
    found = {}
    for thread in Path("/proc/self/task").glob("*"):
        try:
            ran_ns, waited_ns, _ = (thread / "schedstat").read_text("ascii").split()
        except (OSError, ValueError):  # it has ended, or the system does not count
            continue
        found[thread.name] = int(ran_ns) / 1e9, int(waited_ns) / 1e9
    return found


class PatientClock:
    """Implements `edge_agent.clock.Clock`: seconds as if the machine did nothing else.

    Of each stretch of time only the share counts in which threads of this process that wanted a processor had
    one. So a network learns as much on a busy machine as on a quiet one; it takes longer there.
    """

    def __init__(self, clock: Clock, waits: Callable[[], Waits] = thread_waits) -> None:
        """Begin with the clock's own time.

        Args:
            clock: The machine's.
            waits: Tells how long threads worked and waited.
        """
        self._clock, self._waits = clock, waits
        self._seen, self._seen_s, self._own_s = waits(), clock.monotonic_s(), clock.monotonic_s()

    def now_s(self) -> float:
        """Return UTC seconds since 1970, which may jump."""
        return self._clock.now_s()

    def monotonic_s(self) -> float:
        """Return seconds that never go back, and of which others used none."""
        now_s, waits = self._clock.monotonic_s(), self._waits()
        before = [self._seen.get(thread, (0.0, 0.0)) for thread in waits]
        ran_s = sum(now[0] - then[0] for now, then in zip(waits.values(), before, strict=True))
        waited_s = sum(now[1] - then[1] for now, then in zip(waits.values(), before, strict=True))
        share = ran_s / (ran_s + waited_s) if waited_s > 0 else 1.0
        self._own_s += max(share, 1 / MOST_PATIENT) * (now_s - self._seen_s)
        self._seen, self._seen_s = waits, now_s
        return self._own_s

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of the machine's time."""
        self._clock.sleep(seconds)
