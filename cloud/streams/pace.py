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
        # One from before the window stays: of a stream that is hardly looked at there may be none within it.
        while len(self._noted) > 1 and self._noted[1][0] < at_s - _WINDOW_S:
            self._noted.popleft()
        (began_s, before), taken = self._noted[0], len(self._noted) - 1
        came = taken + max(0, dropped - before)
        passed_s = at_s - began_s
        # The first picture waits for the detectors, and may be alone for long.
        if passed_s < _WINDOW_S / 2 or taken >= _ENOUGH * came:
            return None
        return (
            f"only {taken / passed_s:.1f} of {came / passed_s:.1f} pictures a second are looked at, for the "
            "cloud has too much to do; start more workers (elfowl-cloud worker), or ask for a lower rate"
        )
