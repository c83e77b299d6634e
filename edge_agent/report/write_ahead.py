"""The log that SQLite writes before its tables: commits that wait for the disk, and those that need not.

What was committed is in the log's file and survives kill -9. It survives a power cut only once the disk has
it, and some disks take long for that: an SD card up to a tenth of a second.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

# A row is smaller than the usual page of 4 kB, and each commit writes whole ones.
_PAGE_BYTES = 1024
# What the log may hold before its pages are written to their places, many changes of one page at once.
_LOG_PAGES = 3000


class WriteAhead:
    """The log of one database."""

    def __init__(self, database: sqlite3.Connection, path: Path | None) -> None:
        """Let the database keep a log from now on; without a `path` it is in memory, and keeps none."""
        self._database = database
        database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        database.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_size_limit = 4000000")
        # Some disks are no place for a log: there each commit waits.
        self._log = path.with_name(f"{path.name}-wal") if path is not None and mode == "wal" else None
        self._behind = False

    @contextlib.contextmanager
    def unwaiting(self) -> Iterator[None]:
        """Let commits not wait for the disk meanwhile; `sync` does, or the next one that waits."""
        if self._log is None:
            yield
            return
        self._behind = True
        self._database.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._database.execute("PRAGMA synchronous = FULL")

    def sync(self) -> None:
        """Wait until the disk has everything that was committed.

        Raises:
            OSError: The disk failed; what was committed and not waited for may be gone.
        """
        if self._log is None or not self._behind:
            return
        # What SQLite does at the end of a commit that waits.
        descriptor = os.open(self._log, os.O_RDONLY)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        self._behind = False
