"""A clock that moves only when told."""

from __future__ import annotations


class FakeClock:
    """Implements `edge_agent.clock.Clock`; `sleep` advances both times at once."""

    def __init__(self, now_s: float = 1_800_000_000.0, monotonic_s: float = 100.0) -> None:
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self.slept_s: list[float] = []

    def now_s(self) -> float:
        return self._now_s

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        self._now_s += seconds
        self._monotonic_s += seconds

    def jump_wall_clock(self, seconds: float) -> None:
        """Let the wall clock jump, as after a network time correction."""
        self._now_s += seconds
