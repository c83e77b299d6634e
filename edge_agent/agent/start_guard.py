"""The restart budget: starts that died soon are counted on the disk, and break a crash loop."""

from __future__ import annotations

import logging
from pathlib import Path

from edge_agent.clock import Clock

_log = logging.getLogger(__name__)

_BLIND_LIMIT = 3
_SHORT_LIMIT = 6
_SETTLED_S = 60.0


class StartGuard:
    """Counts deaths in a row: before the first picture was looked at, and within a minute of the start.

    Three of the first kind are a loop: loading the detector kills. So are six of the second: it runs, and
    then something it does kills it, such as running out of memory.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        """Remember in `file`."""
        self._file = file
        self._clock = clock
        self._started_s = 0.0
        self._blind = self._short = 0

    def begin(self) -> bool:
        """Note a start; return whether too many before it died."""
        self._started_s = self._clock.monotonic_s()
        blind, short = self._read()
        self._write(blind + 1, short + 1)
        return blind >= _BLIND_LIMIT or short >= _SHORT_LIMIT

    def tick(self, *, looked: bool) -> None:
        """Note how far this start came; call now and then."""
        if looked and self._blind:
            self._write(0, self._short)
        if looked and self._short and self._clock.monotonic_s() - self._started_s >= _SETTLED_S:
            self.survived()

    def survived(self) -> None:
        """Note that this start did not die."""
        self._blind = self._short = 0
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s: %s; the next start may count this one as dead", self._file, error.strerror)

    def _read(self) -> tuple[int, int]:
        try:
            numbers = [int(word) for word in self._file.read_text().split()]
        except (OSError, ValueError):
            return 0, 0
        # Agents before this one wrote the first number only.
        return (*numbers, 0, 0)[0], (*numbers, 0, 0)[1]

    def _write(self, blind: int, short: int) -> None:
        self._blind, self._short = blind, short
        try:
            self._file.write_text(f"{blind} {short}")
        except OSError as error:
            _log.warning("%s: %s; a crash loop would not be noticed", self._file, error.strerror)
