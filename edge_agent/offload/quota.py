"""How many bytes may go to the cloud in a day, remembered over restarts."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from edge_agent.clock import Clock

_log = logging.getLogger(__name__)

_DAY_S = 86_400
# Written ahead in twentieths: few writes, and a crash never gives back more than was used.
_CHUNKS = 20


class ByteQuota:
    """Counts bytes of the present day (UTC)."""

    def __init__(self, file: Path, *, daily_bytes: int, clock: Clock) -> None:
        """Go on from what `file` says was used today; a missing or damaged file says nothing."""
        self._file = file
        self._daily_bytes = daily_bytes
        self._clock = clock
        self._day, self._used = _read(file)
        self._written = self._used

    def allows(self, size: int) -> bool:
        """Return whether `size` more bytes may go today."""
        self._turn_day()
        return self._used + size <= self._daily_bytes

    def spend(self, size: int) -> None:
        """Count `size` bytes."""
        self._turn_day()
        self._used += size
        if self._used > self._written:
            self._written = self._used + self._daily_bytes // _CHUNKS
            self._write(min(self._written, self._daily_bytes))

    def close(self) -> None:
        """Write what was really used."""
        self._write(self._used)

    def _turn_day(self) -> None:
        today = int(self._clock.now_s() // _DAY_S)
        # A clock set back by a day is a correction; by more, what was stored came from a wrong clock.
        if today > self._day or self._day - today > 1:
            self._day, self._used, self._written = today, 0, 0

    def _write(self, used: int) -> None:
        part = self._file.with_suffix(".part")
        try:
            part.write_text(json.dumps({"day": self._day, "used": used}))
            part.replace(self._file)
        except OSError as error:
            _log.warning("%s: %s; a restart would forget today's count", self._file, error.strerror)


def _read(file: Path) -> tuple[int, int]:
    try:
        stored = json.loads(file.read_text())
        return max(0, int(stored["day"])), max(0, int(stored["used"]))
    except (OSError, ValueError, TypeError, KeyError):
        return 0, 0
