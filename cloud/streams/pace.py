"""Whether a stream is looked at as often as was asked, in words: pure, times come in."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 10.0
_ENOUGH = 0.8
"""Of the pictures that came; of those that are left out now and then nobody needs to hear."""


class Pace:
    """Counts the pictures of one stream that were taken, and those that newer ones replaced meanwhile."""

    def __init__(self) -> None:
        """Begin with none."""
        self._noted: deque[tuple[float, int]] = deque()

    def note(self, at_s: float, dropped: int) -> str | None:
        """Note a picture that was taken; return what people should know, if too few are.

        Args:
            at_s: Monotonic seconds.
            dropped: How many pictures were replaced since the stream was opened.
        """
        self._noted.append((at_s, dropped))
        while self._noted[0][0] < at_s - _WINDOW_S:
            self._noted.popleft()
        (began_s, before), taken = self._noted[0], len(self._noted) - 1
        came = taken + max(0, dropped - before)
        if taken < 1 or taken >= _ENOUGH * came:
            return None
        passed_s = max(at_s - began_s, 1e-3)
        return (
            f"only {taken / passed_s:.1f} of {came / passed_s:.1f} pictures a second are looked at, for the "
            "cloud has too much to do; start more workers (elfowl-cloud worker), or ask for a lower rate"
        )
