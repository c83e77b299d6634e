"""The databases that events are searched in: SQLite, and a PostgreSQL of the benchmark's own."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from bench.searching.made_up import COLUMNS, rows
from cloud.store.database import Database, open_database, open_database_url

_NAMES = ", ".join(COLUMNS)
_PORT = 54_329
_NO_LOG = "-c wal_level=minimal -c max_wal_senders=0 -c fsync=off"
"""Nothing is written while searches are measured; what is filled in need not survive a crash."""


@contextmanager
def sqlite_store(folder: Path, count: int) -> Iterator[Database]:
    """Open a SQLite database with so many events."""
    path = folder / "elfowl.sqlite"
    open_database(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    # One transaction of gigabytes: nothing of it need survive a crash, and a log would hold it twice.
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000", "threads=2"):
        connection.execute(f"PRAGMA {pragma}")
    made = (
        "SELECT name, sql FROM sqlite_master WHERE type='index' AND tbl_name='event_states' AND sql NOT NULL"
    )
    indices = connection.execute(made).fetchall()
    for name, _ in indices:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("BEGIN")
    marks = ", ".join("?" * len(COLUMNS))
    insert = f"INSERT INTO event_states ({_NAMES}) VALUES ({marks})"  # noqa: S608
    for some in rows(count):
        connection.executemany(insert, some)
    for _, sql in indices:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()
    database = open_database(path)
    yield database
    database.close()


def postgres_programs() -> Path | None:
    """Return the folder with PostgreSQL's programs; none when it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


@contextmanager
def postgres(programs: Path, folder: Path) -> Iterator[str]:
    """Run a PostgreSQL of its own with its stock settings but for its log; yield its URL."""
    data = folder / "postgres"
    data.mkdir()
    # It refuses to run as root.
    as_user: list[str | Path] = []
    if os.getuid() == 0:
        shutil.chown(data, "postgres", "postgres")
        folder.chmod(0o711)
        as_user = ["runuser", "-u", "postgres", "--"]
    _run([*as_user, programs / "initdb", "-D", data, "-A", "trust", "-U", "elfowl"])
    options = f"-p {_PORT} -k {data} -c listen_addresses='' {_NO_LOG}"
    control: list[str | Path] = [*as_user, programs / "pg_ctl", "-D", data, "-w", "-l", data / "log"]
    _run([*control, "-o", options, "start"])
    try:
        yield f"postgresql+psycopg://elfowl@/postgres?host={data}&port={_PORT}"
    finally:
        _run([*control, "-m", "fast", "stop"])


@contextmanager
def postgres_store(url: str, count: int) -> Iterator[Database]:
    """Open a PostgreSQL database with so many events, as its own vacuum leaves it."""
    import psycopg  # noqa: PLC0415 - only this part needs it

    open_database_url(url).close()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        made = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename='event_states'"
        every = connection.execute(made).fetchall()
        indices = [(name, definition) for name, definition in every if name.startswith("ix")]
        for name, _ in indices:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("SET maintenance_work_mem = '1GB'")
        # What is emptied and filled in one transaction is not logged.
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE event_states")
            with cursor.copy(f"COPY event_states ({_NAMES}) FROM STDIN") as copy:
                for some in rows(count):
                    copy.write("".join(map(_line, some)))
            for _, definition in indices:
                cursor.execute(definition)
        connection.execute("VACUUM ANALYZE event_states")
    database = open_database_url(url)
    yield database
    database.close()


def _line(row: tuple[object, ...]) -> str:
    """Return a row as COPY reads it; nothing made up holds a tab or a backslash."""
    return "\t".join(map(str, row)) + "\n"


def _run(command: Sequence[str | Path]) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def bytes_of(database: Database) -> int:
    """Return how large a database is on the disk."""
    is_sqlite = database.url.startswith("sqlite")
    asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if not is_sqlite:
        asked = "SELECT pg_database_size(current_database())"
    with database.read() as session:
        return int(session.scalar(text(asked)) or 0)


def forget(path: Path) -> None:
    """Let the system drop what it holds of a file in memory, so that the next read comes from the disk."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
