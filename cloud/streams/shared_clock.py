"""One clock for all machines that watch streams: the database's, for their own may differ by seconds.

Whether a beat is fresh would else depend on who looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text

from cloud.store.database import Database
from edge_agent.clock import Clock

_AGAIN_S = 60.0
_JUMP_S = 0.5
"""Where the own wall clock moved by so much against the monotonic one, it was set, or the machine slept."""

_NOW = text("SELECT extract(epoch FROM clock_timestamp())")


@dataclass(frozen=True)
class _Read:
    """What the shared clock said; `monotonic_s` and `own_s` are this machine's clocks at that moment."""

    shared_s: float
    monotonic_s: float
    own_s: float


class SharedClock:
    """Tells the time of a clock elsewhere, which it reads now and then; monotonic time is this machine's."""

    def __init__(self, read_s: Callable[[], float], clock: Clock) -> None:
        """Prepare.

        Args:
            read_s: Reads the shared clock, UTC seconds since 1970.
            clock: This machine's.
        """
        self._read_s, self._clock = read_s, clock
        self._last: _Read | None = None

    def now_s(self) -> float:
        """Return UTC seconds since 1970.

        Raises:
            ElfowlError: The shared clock cannot be read.
        """
        monotonic_s = self._clock.monotonic_s()
        last = self._last
        if last is None or self._is_old(last, monotonic_s):
            last = self._last = self._read()
        return last.shared_s + self._clock.monotonic_s() - last.monotonic_s

    def monotonic_s(self) -> float:
        """Return seconds that never go back within one boot."""
        return self._clock.monotonic_s()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        self._clock.sleep(seconds)

    def _is_old(self, last: _Read, monotonic_s: float) -> bool:
        went_s = monotonic_s - last.monotonic_s
        return went_s > _AGAIN_S or abs(self._clock.now_s() - last.own_s - went_s) > _JUMP_S

    def _read(self) -> _Read:
        asked_s = self._clock.monotonic_s()
        shared_s = self._read_s()
        answered_s = self._clock.monotonic_s()
        # It was read on the way between.
        return _Read(shared_s, (asked_s + answered_s) / 2, self._clock.now_s() - (answered_s - asked_s) / 2)


def clock_of(database: Database, clock: Clock) -> Clock:
    """Return the clock that all who share a database go by; SQLite is shared on one machine only."""
    if not database.url.startswith("postgresql"):
        return clock

    def read_s() -> float:
        with database.glance() as connection:
            return float(connection.execute(_NOW).scalar_one())

    return SharedClock(read_s, clock)
