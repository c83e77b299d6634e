"""How long somebody who got a password wrong has to wait: longer each time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloud.errors import QuotaError
from edge_agent.clock import Clock

_REMEMBERED: Final = 10_000
_ATTEMPTS_KEPT: Final = 32


@dataclass(frozen=True)
class Patience:
    """How many wrong passwords are free, and how the wait grows after that: 1 s, 2 s, 4 s … `longest_s`."""

    free: int
    longest_s: float
    forgotten_after_s: float = 3600.0


# An account waits for at most a minute: else a stranger could lock its owner out.
OF_ACCOUNT: Final = Patience(free=10, longest_s=60.0)
OF_ADDRESS: Final = Patience(free=5, longest_s=900.0)


def wait_s(attempts_s: Sequence[float], now_s: float, patience: Patience) -> float:
    """Return how long the next attempt has to wait; 0 when it may come at once.

    Args:
        attempts_s: When the attempts before failed, oldest first, on the clock of `now_s`.
        now_s: The present time.
        patience: How quickly the wait grows.
    """
    recent = [at for at in attempts_s if now_s - at < patience.forgotten_after_s]
    if len(recent) < patience.free:
        return 0.0
    # Beyond 2**20 s every limit is reached; a larger exponent would only overflow.
    grown_s = 2.0 ** min(20, len(recent) - patience.free)
    return max(0.0, recent[-1] + min(grown_s, patience.longest_s) - now_s)


class LoginLimit:
    """Counts attempts by account and by address, in memory; an attempt counts from its start.

    So a hundred guesses at the same time are a hundred guesses. A right password takes its own count back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, account: str, address: str) -> None:
        """Count an attempt.

        Raises:
            QuotaError: Too many were wrong; says when the next may come.
        """
        now_s = self._clock.monotonic_s()
        keys = ((("account", account), OF_ACCOUNT), (("address", address), OF_ADDRESS))
        with self._lock:
            longest_s = max(wait_s(self._attempts.get(key, ()), now_s, patience) for key, patience in keys)
            if longest_s > 0:
                message = f"too many wrong passwords; try again in {max(1, round(longest_s))} s"
                raise QuotaError(message, retry_after_s=longest_s)
            for key, _ in keys:
                self._note(key, now_s)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the wrong attempts of an account, and the count of this one at its address."""
        with self._lock:
            self._attempts.pop(("account", account), None)
            counted = self._attempts.get(("address", address))
            if counted:
                counted.pop()

    def _note(self, key: tuple[str, str], now_s: float) -> None:
        attempts = self._attempts.setdefault(key, [])
        self._attempts.move_to_end(key)
        attempts.append(now_s)
        del attempts[:-_ATTEMPTS_KEPT]
        while len(self._attempts) > _REMEMBERED:
            self._attempts.popitem(last=False)
