"""Time as a dependency: everything that needs the time takes a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where code gets the time from."""

    def now_s(self) -> float:
        """Return UTC seconds since 1970, which may jump."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go back within one boot."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Return UTC seconds since 1970, which may jump."""
        return time.time()  # noqa: TID251 - the one place where the wall clock is read

    def monotonic_s(self) -> float:
        """Return seconds that never go back within one boot."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)
