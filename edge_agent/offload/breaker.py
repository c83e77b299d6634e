"""When to stop asking a cloud that does not answer: a pure state machine.

Closed: questions go. After three failures in a row it opens, and no question goes for a while. Then one goes
for a try: an answer closes it, a failure opens it for twice as long.
"""

from __future__ import annotations

from dataclasses import dataclass

_FAILURES_TO_OPEN = 3
_OPEN_S = 5.0
_OPEN_MAX_S = 300.0


@dataclass(frozen=True)
class Breaker:
    """State of the breaker; each method returns an answer or the next state.

    Attributes:
        failures: Failures in a row.
        open_until_s: Monotonic second until which no question goes.
    """

    failures: int = 0
    open_until_s: float = float("-inf")

    def is_open(self, now_s: float) -> bool:
        """Return whether asking has to wait, at the monotonic second `now_s`."""
        return now_s < self.open_until_s

    def succeeded(self) -> Breaker:
        """Return the state after an answer."""
        return Breaker()

    def failed(self, now_s: float) -> Breaker:
        """Return the state after a failure at the monotonic second `now_s`."""
        failures = self.failures + 1
        if failures < _FAILURES_TO_OPEN:
            return Breaker(failures)
        open_s = min(_OPEN_MAX_S, _OPEN_S * 2.0 ** min(failures - _FAILURES_TO_OPEN, 10))
        return Breaker(failures, now_s + open_s)
