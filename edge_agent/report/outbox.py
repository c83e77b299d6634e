"""A spool that always takes events: on the disk, and in memory while the disk cannot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from edge_agent.clock import Clock
from edge_agent.errors import StorageError
from edge_agent.report.spool import Spool, SpoolItem, SpoolRow
from edge_agent.wire.sync import DroppedRange

_log = logging.getLogger(__name__)

_MEMORY_BYTES = 4_000_000
_RETRY_S = 60.0


class Outbox:
    """Events on their way; a full, read-only or failing disk costs durability, never detection.

    What stands on the failing disk stays there, and goes out once the disk works again. Memory has an epoch
    of its own, so that nothing is taken for something else.
    """

    def __init__(self, path: Path, *, consumers: Sequence[str], max_bytes: int, clock: Clock) -> None:
        """Open the spool at `path`, or one in memory when that fails; see `Spool` for the arguments."""
        self._path = path
        self._consumers = tuple(consumers)
        self._max_bytes = max_bytes
        self._clock = clock
        self._dropped_before = 0
        self._retry_at_s = 0.0
        self.alarm: str | None = None
        try:
            self._spool = self._on_disk()
        except StorageError as error:
            self._spool = self._in_memory(error)

    @property
    def folder(self) -> Path:
        """Return where the spool lies."""
        return self._path.parent

    @property
    def epoch(self) -> str:
        """Return the id of the present file."""
        return self._spool.epoch

    @property
    def volatile(self) -> bool:
        """Return whether events are in memory only, because the disk fails."""
        return self._spool.volatile

    @property
    def dropped_events(self) -> int:
        """Return how many events were forgotten since the start because of the quota."""
        return self._dropped_before + self._spool.dropped_events

    def append(self, items: Sequence[SpoolItem]) -> int:
        """Keep `items` and return the last one's seq."""
        try:
            return self._spool.append(items)
        except StorageError as error:
            self._leave_disk(error)
            return self._spool.append(items)

    def read(self, consumer: str, *, after_seq: int = 0, limit: int = 100) -> list[SpoolRow]:
        """Return the oldest events that `consumer` lacks; see `Spool.read`."""
        try:
            return self._spool.read(consumer, after_seq=after_seq, limit=limit)
        except StorageError as error:
            self._leave_disk(error)
            return []

    def acknowledge(self, consumer: str, epoch: str, seq: int) -> None:
        """Note that `consumer` has everything of `epoch` up to `seq`."""
        self._spool.acknowledge(consumer, epoch, seq)

    def dropped(self) -> tuple[DroppedRange, ...]:
        """Return what was forgotten and not yet reported."""
        try:
            return self._spool.dropped()
        except StorageError as error:
            self._leave_disk(error)
            return ()

    def depth(self) -> int:
        """Return how many events at least one consumer lacks."""
        try:
            return max(self._spool.depth(consumer) for consumer in self._consumers)
        except StorageError as error:
            self._leave_disk(error)
            return 0

    def flush(self) -> None:
        """Write acknowledgements; call each few seconds. Goes back to the disk once that works again."""
        try:
            self._spool.flush()
        except StorageError as error:
            self._leave_disk(error)
        if self.volatile and self._clock.monotonic_s() >= self._retry_at_s and self.depth() == 0:
            self._try_disk()

    def close(self) -> None:
        """Write what is open and let go of the file."""
        self._spool.close()

    def _on_disk(self) -> Spool:
        return Spool(self._path, consumers=self._consumers, max_bytes=self._max_bytes)

    def _in_memory(self, error: StorageError) -> Spool:
        self.alarm = str(error)
        self._retry_at_s = self._clock.monotonic_s() + _RETRY_S
        _log.error("%s; events stay in memory until the disk works again", error)
        return Spool(None, consumers=self._consumers, max_bytes=min(self._max_bytes, _MEMORY_BYTES))

    def _leave_disk(self, error: StorageError) -> None:
        failing = self._spool
        self._dropped_before += failing.dropped_events
        self._spool = self._in_memory(error)
        failing.close()

    def _try_disk(self) -> None:
        self._retry_at_s = self._clock.monotonic_s() + _RETRY_S
        try:
            spool = self._on_disk()
        except StorageError as error:
            self.alarm = str(error)
            return
        self._dropped_before += self._spool.dropped_events
        self._spool.close()
        self._spool, self.alarm = spool, None
        _log.warning("the disk works again; events are kept in %s", self._path)
