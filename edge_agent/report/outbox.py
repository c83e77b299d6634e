"""A spool that always takes events: on the disk, and in memory while the disk cannot.

Flash memory wears, so what is gone again in a second never reaches it: pictures, and documents of an event
that stands on the disk already, wait in memory for their acknowledgements, and are written only when these
are late. kill -9 in these two seconds costs what nobody acknowledged: a picture, an update, or an end.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.clock import Clock
from edge_agent.errors import StorageError
from edge_agent.report.spool import Spool, SpoolItem, SpoolRow
from edge_agent.wire.sync import DroppedRange

_log = logging.getLogger(__name__)

_MEMORY_BYTES = 4_000_000
_RETRY_S = 60.0
# How long an acknowledgement may take before what waits for it is written.
PATIENCE_S = 2.0


@dataclass(frozen=True)
class _Waiting:
    """A row in memory; `on_disk`: its document is on the disk too, its picture is not."""

    item: SpoolItem
    on_disk: bool
    since_s: float


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
        self._waiting: dict[int, _Waiting] = {}
        self._unsynced: list[SpoolItem] = []
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

    @property
    def waits(self) -> bool:
        """Return whether anything is in memory that will be written unless it is acknowledged."""
        return bool(self._waiting)

    def append(self, items: Sequence[SpoolItem], *, lasting: bool = True, synced: bool = True) -> int:
        """Keep `items` and return the last one's seq.

        Args:
            items: At least one.
            lasting: The documents survive a kill from now on; else they may wait, as pictures always do.
            synced: Those that last survive a power cut too from now on; else from the next `sync` on.
        """
        if self.volatile:
            return self._spool.append(items)
        if not lasting and self._spool.may_reserve:
            last_seq = self._spool.reserve(len(items))
            self._wait(last_seq, items, on_disk=False)
            return last_seq
        try:
            documents = [replace(item, thumbnail=None) for item in items]
            last_seq = self._spool.append(documents, synced=synced)
        except StorageError as error:
            self._leave_disk(error)
            return self._spool.append(items)
        self._unsynced += () if synced else items
        self._wait(last_seq, items, on_disk=True)
        return last_seq

    def sync(self) -> None:
        """Wait until everything that is to last is on the disk."""
        try:
            self._spool.sync()
        except StorageError as error:
            self._leave_disk(error)
        self._unsynced = []

    def add_picture(self, epoch: str, seq: int, item: SpoolItem) -> None:
        """Give a row the picture that was not made yet when it was appended; `item` is the whole row.

        Its document went out meanwhile. A row of another file, or one that everybody has, needs none.
        """
        if epoch != self.epoch or seq <= self._spool.delivered:
            return
        if not self.volatile:
            # One that is not in memory was written, but for its picture.
            known = self._waiting.get(seq, _Waiting(item, on_disk=True, since_s=self._clock.monotonic_s()))
            self._waiting[seq] = replace(known, item=item)
            return
        try:
            self._spool.keep([SpoolRow(seq, item)])
        except StorageError as error:
            _log.warning("%s; event %d goes without its picture", error, seq)

    def has_more(self, consumer: str, *, after_seq: int = 0) -> bool:
        """Return whether `consumer` may lack an event beyond `after_seq`; asks no disk."""
        return self._spool.last_seq > max(after_seq, self._spool.acknowledged(consumer))

    def read(self, consumer: str, *, after_seq: int = 0, limit: int = 100) -> list[SpoolRow]:
        """Return the oldest events that `consumer` lacks; see `Spool.read`."""
        try:
            rows = self._spool.read(consumer, after_seq=after_seq, limit=limit)
        except StorageError as error:
            self._leave_disk(error)
            return []
        if not self._waiting:
            return rows
        floor = max(after_seq, self._spool.acknowledged(consumer))
        # The rows in memory are whole; those on the disk may lack their picture.
        known = {row.seq: row for row in rows}
        known |= {seq: SpoolRow(seq, waiting.item) for seq, waiting in self._waiting.items() if seq > floor}
        return [known[seq] for seq in sorted(known)][:limit]

    def acknowledge(self, consumer: str, epoch: str, seq: int) -> None:
        """Note that `consumer` has everything of `epoch` up to `seq`."""
        self._spool.acknowledge(consumer, epoch, seq)
        delivered = self._spool.delivered
        self._waiting = {number: row for number, row in self._waiting.items() if number > delivered}

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
            return max(self._depth(consumer) for consumer in self._consumers)
        except StorageError as error:
            self._leave_disk(error)
            return 0

    def tick(self) -> None:
        """Write what waits for its acknowledgement too long; call twice a second or so."""
        if self._waiting:
            self._settle(self._clock.monotonic_s() - PATIENCE_S)

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
        self._settle(self._clock.monotonic_s())
        self._spool.close()

    def _wait(self, last_seq: int, items: Sequence[SpoolItem], *, on_disk: bool) -> None:
        now_s = self._clock.monotonic_s()
        for seq, item in enumerate(items, start=last_seq - len(items) + 1):
            if not on_disk or item.thumbnail is not None:
                self._waiting[seq] = _Waiting(item, on_disk, now_s)

    def _settle(self, until_s: float) -> None:
        """Write what waits since `until_s` or longer."""
        overdue = [SpoolRow(seq, row.item) for seq, row in self._waiting.items() if row.since_s <= until_s]
        if not overdue:
            return
        try:
            self._spool.keep(overdue)
        except StorageError as error:
            self._leave_disk(error)
            return
        for row in overdue:
            del self._waiting[row.seq]

    def _depth(self, consumer: str) -> int:
        acknowledged = self._spool.acknowledged(consumer)
        in_memory = sum(seq > acknowledged and not row.on_disk for seq, row in self._waiting.items())
        return self._spool.depth(consumer) + in_memory

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
        # What has its document on the disk goes out from there, later and without its picture.
        # Whether those are there that were not synced nobody knows: they are better told twice than never.
        unwritten = (row.item for row in self._waiting.values() if not row.on_disk)
        if items := [*self._unsynced, *unwritten]:
            self._spool.append(items)
        self._waiting, self._unsynced = {}, []

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
