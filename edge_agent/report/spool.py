"""Events kept on the disk until everybody who should have them has them.

Invariants:
- What `append` and `keep` returned for survives kill -9 and power cuts (WAL, synchronous=FULL; one commit per
  call); what was appended unsynced survives kill -9, and power cuts once `sync` returned.
- (epoch, seq) is an event's identity; a new file has a new epoch, and a seq is never used twice in one: a
  clean end writes the last one down, and after any other a thousand are left out, and reported as such.
- A row goes some time after all consumers acknowledged it, or when the quota drops it, which is remembered
  and reported.
- Acknowledgements survive kill -9 once flushed; a power cut may forget some, and those events go out again.
- Flash memory wears: an event costs one commit of few and small pages; rows are deleted many at a time.
- A damaged file is put aside and a new one is made; a disk that cannot be written is a StorageError.
- One thread owns a spool.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import StorageError
from edge_agent.report.write_ahead import WriteAhead
from edge_agent.wire.sync import DroppedRange

_log = logging.getLogger(__name__)

# What a row costs beside its texts: keys, headers, part of a page; in the view `sized` too.
_ROW_OVERHEAD_BYTES = 64
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, document TEXT NOT NULL, thumbnail BLOB
);
CREATE TABLE IF NOT EXISTS cursor (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS dropped (
    first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, reason TEXT NOT NULL
);
CREATE TEMP VIEW IF NOT EXISTS sized AS SELECT seq,
    length(document) + length(topic) + ifnull(length(thumbnail), 0) + 64 AS bytes FROM event;
"""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_QUOTA_REASON, _KILLED_REASON = "quota", "not used: the agent was killed"
_ROWS_AT_A_TIME = 200
# Numbers of rows that were never written: more than these are never in use at once.
_RESERVED_AT_MOST = 1000


@dataclass(frozen=True)
class SpoolItem:
    """One event to keep: where it goes at home, its JSON, and its small picture."""

    topic: str
    document: str
    thumbnail: bytes | None = None

    @property
    def bytes(self) -> int:
        """Return about what it takes on the disk."""
        return len(self.document) + len(self.topic) + len(self.thumbnail or b"") + _ROW_OVERHEAD_BYTES


@dataclass(frozen=True)
class SpoolRow:
    """One kept event."""

    seq: int
    item: SpoolItem


class _DamagedFileError(Exception):
    """The file is no sound SQLite database any more."""


class Spool:
    """The store of events that are on their way."""

    def __init__(self, path: Path | None, *, consumers: Sequence[str], max_bytes: int) -> None:
        """Open the spool, or make it.

        Args:
            path: The file; none keeps everything in memory only.
            consumers: Who must acknowledge an event before it goes; a consumer no longer named is forgotten.
            max_bytes: Room for texts and pictures together.

        Raises:
            StorageError: The folder cannot be written.
        """
        self._path = path
        self._consumers = tuple(consumers)
        self._max_bytes = max_bytes
        self.set_aside = self.last_seq = self._deleted_to = 0
        self._open_or_replace()

    @property
    def volatile(self) -> bool:
        """Return whether a restart would lose what is in here."""
        return self._path is None

    @property
    def delivered(self) -> int:
        """Return up to which seq everybody has everything; where nobody listens, that is all."""
        return min(self._cursors.values(), default=self.last_seq)

    def append(self, items: Sequence[SpoolItem], *, synced: bool = True) -> int:
        """Keep `items` in one commit and return the last one's seq; `synced`: safe from a power cut too.

        Raises:
            StorageError: The disk is full or read-only; nothing of `items` was kept.
        """
        try:
            return self._append(items, synced=synced)
        except _DamagedFileError:
            self._replace()
            with self._storage_errors():
                return self._append(items, synced=True)

    def sync(self) -> None:
        """Wait until what was appended unsynced is on the disk.

        Raises:
            StorageError: The disk failed; what was appended since the last call may be gone.
        """
        with self._storage_errors():
            self._ahead.sync()

    def reserve(self, count: int) -> int:
        """Take the next numbers for rows that need not last yet; return the last one."""
        self.last_seq += count
        self._reserved += count
        return self.last_seq

    @property
    def may_reserve(self) -> bool:
        """Return whether rows may go unwritten."""
        return self.last_seq > 0 and self._reserved < _RESERVED_AT_MOST // 2

    def keep(self, rows: Sequence[SpoolRow]) -> None:
        """Write rows whose numbers were reserved, or put whole ones in the place of those without picture.

        Raises:
            StorageError: The disk is full, read-only or damaged; nothing of `rows` was kept.
        """
        with self._storage_errors(), self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?)",
                [(row.seq, row.item.topic, row.item.document, row.item.thumbnail) for row in rows],
            )
            self._grow(sum(row.item.bytes for row in rows))

    def acknowledged(self, consumer: str) -> int:
        """Return up to which seq `consumer` has everything."""
        return self._cursors[consumer]

    def read(self, consumer: str, *, after_seq: int = 0, limit: int = 100) -> list[SpoolRow]:
        """Return the oldest events that `consumer` has not acknowledged, with seq beyond `after_seq`.

        Raises:
            StorageError: The disk cannot be read.
        """
        floor = max(after_seq, self._cursors[consumer])
        query = "SELECT seq, topic, document, thumbnail FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
        with self._mended():
            rows = self._db.execute(query, (floor, limit)).fetchall()
            return [SpoolRow(seq, SpoolItem(topic, text, picture)) for seq, topic, text, picture in rows]
        return []

    def acknowledge(self, consumer: str, epoch: str, seq: int) -> None:
        """Note that `consumer` has everything up to `seq`; written with the next `flush`.

        An acknowledgement for another epoch, or beyond the last event, is none for these.
        """
        if epoch != self.epoch or seq > self.last_seq:
            _log.warning("ignored an acknowledgement of %s for epoch %r up to %d", consumer, epoch, seq)
            return
        if seq > self._cursors[consumer]:
            self._cursors[consumer] = seq
            self._cursors_changed = True

    def flush(self) -> None:
        """Write acknowledgements, and delete what everybody has once that is worth it.

        Raises:
            StorageError: The disk cannot be written.
        """
        if not self._cursors_changed:
            return
        # Not worth the wait for the disk: the next event brings it there.
        with self._mended(), self._ahead.unwaiting(), self._db:
            self._write_cursors()
            if self.delivered - self._deleted_to >= _ROWS_AT_A_TIME:
                self._delete_delivered()

    def dropped(self) -> tuple[DroppedRange, ...]:
        """Return what the quota made us forget and `cloud` does not know yet, oldest first."""
        query = "SELECT first_seq, last_seq, reason FROM dropped WHERE last_seq > ? ORDER BY first_seq"
        with self._mended():
            rows = self._db.execute(query, (self._cursors.get("cloud", 0),))
            return tuple(DroppedRange(first_seq=a, last_seq=b, reason=why) for a, b, why in rows)
        return ()

    def depth(self, consumer: str) -> int:
        """Return how many events `consumer` has not acknowledged."""
        with self._mended():
            query = "SELECT count(*) FROM event WHERE seq > ?"
            return int(self._db.execute(query, (self._cursors[consumer],)).fetchone()[0])
        return 0

    def close(self) -> None:
        """Write what is open, delete what everybody has, and let go of the file."""
        with contextlib.suppress(StorageError), self._mended(), self._db:
            self._write_cursors()
            self._delete_delivered()
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('closed_at_seq', ?)", (str(self.last_seq),))
        self._db.close()

    def _append(self, items: Sequence[SpoolItem], *, synced: bool) -> int:
        rows = [
            (seq, item.topic, item.document, item.thumbnail)
            for seq, item in enumerate(items, start=self.last_seq + 1)
        ]
        waiting = contextlib.nullcontext() if synced else self._ahead.unwaiting()
        with self._errors(), waiting, self._db:
            self._db.executemany("INSERT INTO event VALUES (?, ?, ?, ?)", rows)
            self._write_cursors()
            self._grow(sum(item.bytes for item in items))
        self.last_seq = last = self.last_seq + len(rows)
        self._reserved = 0
        return last

    def _grow(self, size_bytes: int) -> None:
        self._bytes += size_bytes
        if self._bytes > self._max_bytes:
            self._write_cursors()
            self._delete_delivered()
            self._make_room()

    def _write_cursors(self) -> None:
        if not self._cursors_changed:
            return
        rows = [(seq, consumer) for consumer, seq in self._cursors.items()]
        self._db.executemany("UPDATE cursor SET seq = max(seq, ?) WHERE consumer = ?", rows)
        known = self._cursors.get("cloud", self.delivered)
        self._db.execute("DELETE FROM dropped WHERE last_seq <= ?", (known,))
        self._cursors_changed = False

    def _delete_delivered(self) -> None:
        """Delete what everybody has, but for the last row: it knows the last seq."""
        everybody_has = self.delivered
        query = "DELETE FROM event WHERE seq <= ? AND seq < (SELECT max(seq) FROM event)"
        self._db.execute(query, (everybody_has,))
        self._deleted_to = everybody_has
        self._bytes = self._measure()

    def _make_room(self) -> None:
        """Forget old pictures, then old events, until a tenth of the quota is free again."""
        self._bytes = self._measure()
        target = self._max_bytes * 9 // 10
        surplus = self._bytes - target
        if surplus <= 0:
            return
        query = "SELECT seq, length(thumbnail) FROM event WHERE thumbnail IS NOT NULL ORDER BY seq"
        if last := self._last_to_forget(query, surplus):
            self._db.execute("UPDATE event SET thumbnail = NULL WHERE seq <= ?", (last,))
        self._bytes = self._measure()
        if self._bytes > target:
            self._drop_events(self._bytes - target)
        self._bytes = self._measure()

    def _last_to_forget(self, query: str, surplus: int) -> int:
        last = 0
        for seq, size in self._db.execute(query):
            if surplus <= 0:
                break
            last, surplus = seq, surplus - size
        return last

    def _drop_events(self, surplus: int) -> None:
        query = "SELECT seq, bytes FROM sized ORDER BY seq"
        last = self._last_to_forget(query, surplus)
        first = int(self._db.execute("SELECT ifnull(min(seq), 0) FROM event").fetchone()[0])
        self._db.execute("DELETE FROM event WHERE seq <= ?", (last,))
        merged = self._db.execute("UPDATE dropped SET last_seq = ? WHERE last_seq = ?", (last, first - 1))
        if not merged.rowcount:
            self._db.execute("INSERT INTO dropped VALUES (?, ?, ?)", (first, last, _QUOTA_REASON))
        self.dropped_events += last - first + 1
        _log.warning("spool is full: forgot events %d to %d", first, last)

    def _measure(self) -> int:
        return int(self._db.execute("SELECT ifnull(sum(bytes), 0) FROM sized").fetchone()[0])

    def _open_or_replace(self) -> None:
        self._bytes = self.dropped_events = 0
        self.last_seq = self._deleted_to = self._reserved = 0
        self._cursors_changed = False
        try:
            with self._errors():
                self._open()
        except _DamagedFileError:
            self._replace()

    def _open(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self._path or ":memory:", timeout=5.0, check_same_thread=False)
        self._ahead = WriteAhead(self._db, self._path)
        if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise _DamagedFileError
        self._db.executescript(_SCHEMA)
        with self._db:
            self._start()

    def _start(self) -> None:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (secrets.token_hex(8),))
        self.epoch = str(self._db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])
        marks = ", ".join("?" for _ in self._consumers)
        self._db.execute(f"DELETE FROM cursor WHERE consumer NOT IN ({marks})", self._consumers)  # noqa: S608
        self._db.executemany(
            "INSERT OR IGNORE INTO cursor VALUES (?, 0)", [(name,) for name in self._consumers]
        )
        self._cursors: dict[str, int] = dict(self._db.execute("SELECT consumer, seq FROM cursor").fetchall())
        self.last_seq = self._find_last_seq()
        self._deleted_to = min(self._cursors.values(), default=0)
        self._bytes = self._measure()

    def _find_last_seq(self) -> int:
        """Return the last number that may have been used, and write down that this file is open."""
        marks = dict(self._db.execute("SELECT key, value FROM meta WHERE key GLOB '*ed_at_seq'").fetchall())
        last = max([self._last_written_seq(), *map(int, marks.values())])
        if "closed_at_seq" not in marks and last:
            # Not closed in order: rows that were never written may have gone out with numbers beyond it.
            left_out = (last + 1, last + _RESERVED_AT_MOST, _KILLED_REASON)
            self._db.execute("INSERT OR REPLACE INTO dropped VALUES (?, ?, ?)", left_out)
            last += _RESERVED_AT_MOST
        self._db.execute("DELETE FROM meta WHERE key = 'closed_at_seq'")
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('opened_at_seq', ?)", (str(last),))
        return last

    def _last_written_seq(self) -> int:
        queries = [
            "SELECT max(seq) FROM event",
            "SELECT max(seq) FROM cursor",
            "SELECT max(last_seq) FROM dropped",
        ]
        # Files of older agents delete the last row too, and know its seq from here.
        if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            queries.append("SELECT max(seq) FROM sqlite_sequence")
        return max(int(self._db.execute(query).fetchone()[0] or 0) for query in queries)

    def _replace(self) -> None:
        """Put the damaged file aside, where only the newest such file is kept, and begin a new one."""
        with contextlib.suppress(sqlite3.Error, AttributeError):
            self._db.close()
        if self._path is not None:
            aside = self._path.with_name(self._path.name + ".damaged")
            _log.error("%s is damaged; put aside as %s, events in it are lost", self._path, aside.name)
            with self._storage_errors():
                self._path.replace(aside)
                for suffix in ("-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self.set_aside += 1
        with self._storage_errors():
            self._open()
        self.dropped_events = 0

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                raise _DamagedFileError from error
            message = f"spool {self._path or 'in memory'}: {error}; free some space or check the disk"
            raise StorageError(message) from error

    @contextlib.contextmanager
    def _storage_errors(self) -> Iterator[None]:
        """Like `_errors`, where nothing is left to try."""
        try:
            with self._errors():
                yield
        except _DamagedFileError as error:
            message = f"spool {self._path}: damaged again at once; check the disk"
            raise StorageError(message) from error

    @contextlib.contextmanager
    def _mended(self) -> Iterator[None]:
        """Put a file aside that turns out to be damaged; what was asked of it is then not answered."""
        try:
            with self._errors():
                yield
        except _DamagedFileError:
            self._replace()
