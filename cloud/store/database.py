"""Opens the database: brings its tables up to date, sets SQLite up, hands out sessions.

Invariants:
- A write session takes the write lock at its start (SQLite: `BEGIN IMMEDIATE`; PostgreSQL: an advisory lock):
  it waits its turn instead of failing, and what it read is still so when it writes.
- What was acknowledged to a device was written by a durable session: on the disk before the answer.
- Every session is of the scope in which it begins, see `cloud.store.scope`: there is no way around.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from cloud.errors import AwayError
from cloud.store.scope import WITH_CONDITION, open_session
from edge_agent.errors import StorageError

_BUSY_TIMEOUT_S = 30
_MIGRATIONS = Path(__file__).parent / "migrations"
_REVISION = text("SELECT version_num FROM alembic_version").execution_options(**WITH_CONDITION)
_WRITERS_TURN = text("SELECT pg_advisory_xact_lock(3310627)").execution_options(**WITH_CONDITION)
"""Any number that nobody else takes; held until the transaction ends, also when its process is killed."""

_DISK_FULL = ("database or disk is full", "disk I/O error", "No space left on device")
_AWAY = ("connection is bad", "connection failed", "server closed the connection", "connection is lost")
_UNUSABLE = ("file is not a database", "readonly database", "malformed", "unable to open database file")


class Database:
    """Sessions on one database: for reading, for writing, and for writes that must survive a power cut."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _create_engine(url, synchronous="NORMAL")
        # One query sees one state of the database by itself: to begin and to end takes as long as it does.
        self._glancing_engine = self._engine.execution_options(elfowl_begin=None)
        # PostgreSQL commits to the disk in any case.
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._durable_engine = _create_engine(url, synchronous="FULL") if is_sqlite else self._engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that sees one state of the database; what it changes is thrown away."""
        with storage_errors(), open_session(self._engine) as session:
            yield session

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """Open a bare connection for one query, where a session would take longer than the answer."""
        with storage_errors(), self._glancing_engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False, alone: bool = True) -> Iterator[Session]:
        """Open a session that commits at its end, or leaves everything as it was.

        Args:
            durable: Return only once the change is on the disk.
            alone: No other session writes meanwhile. False, where the database can: for changes that lock
                their own rows and that many machines make all the time.

        Raises:
            StorageError: The disk is full or the database damaged.
        """
        engine = self._durable_engine if durable else self._engine
        with (
            storage_errors(),
            open_session(engine.execution_options(elfowl_begin="IMMEDIATE")) as session,
            session.begin(),
        ):
            # The lock is waited for here, however long: what time it is may be asked afterwards.
            Session.connection(session)
            if alone and engine.dialect.name == "postgresql":
                session.execute(_WRITERS_TURN)
            yield session

    def is_up_to_date(self) -> bool:
        """Return whether the tables are those of this version; opens the database."""
        with self._engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return False
            return connection.execute(_REVISION).scalar_one_or_none() == newest_revision()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        self._durable_engine.dispose()


def open_database(path: Path) -> Database:
    """Open the SQLite database at `path`; make it, or bring its tables up to date.

    Raises:
        StorageError: The disk is full, or the file is not a database.
    """
    make_folder(path.parent)
    return open_database_url(f"sqlite:///{path}")


def make_folder(home: Path) -> None:
    """Make a home folder, unless it is there.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{home}: {error.strerror}; set ELFOWL_HOME to a folder that can be written"
        raise StorageError(message) from error


def open_database_url(url: str) -> Database:
    """Open any database that SQLAlchemy knows by its URL."""
    database = Database(url)
    with storage_errors():
        # To ask costs far less than to load what would then find that nothing is to be done.
        if not database.is_up_to_date():
            from cloud.store.migrating import migrate  # noqa: PLC0415 - a quarter of a second

            migrate(url, _WRITERS_TURN)
    return database


@cache
def newest_revision() -> str:
    """Return which tables this version has: the number with which the name of its last step begins."""
    return max(path.name for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn errors of the disk below the database into `StorageError`s."""
    try:
        yield
    except DatabaseError as error:
        said = str(error.orig)
        if any(known in said for known in _DISK_FULL):
            message = f"database: {said}; free some space, nothing stored before is lost"
            raise StorageError(message) from error
        if any(known in said for known in _UNUSABLE):
            message = f"database: {said}; see ELFOWL_HOME"
            raise StorageError(message) from error
        if "database is locked" in said:
            message = "database: another process holds it for too long; try again"
            raise StorageError(message) from error
        if error.connection_invalidated or any(known in said for known in _AWAY):
            first_line = said.partition("\n")[0]
            message = f"database: {first_line}; see that PostgreSQL runs, and ELFOWL_DATABASE"
            raise AwayError(message) from error
        raise


def _create_engine(url: str, *, synchronous: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        # A database that was away for a while shall be asked anew, not over a connection that is gone.
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _set_up(connection: PoolProxiedConnection, _record: ConnectionPoolEntry) -> None:
        # SQLAlchemy shall say when a transaction begins, not the driver.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_S * 1000}",
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("elfowl_begin", "DEFERRED")
        if mode is not None:
            connection.exec_driver_sql(f"BEGIN {mode}")

    return engine
