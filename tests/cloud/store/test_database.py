"""The database: settings of SQLite, migrations, sessions, errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from cloud.store import detectors
from cloud.store.database import Database, open_database
from cloud.store.tables import Base
from edge_agent.errors import StorageError
from tests.cloud.homes import with_tables


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(with_tables(tmp_path) / "elfowl.sqlite")


@pytest.mark.parametrize(("durable", "synchronous"), [(False, 1), (True, 2)])
def test_session_of_sqlite_is_durable_when_asked(database: Database, durable: bool, synchronous: int) -> None:
    with database.write(durable=durable) as session:
        values = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert values == {"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1}


def test_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    path = tmp_path / "elfowl.sqlite"
    open_database(path)
    with create_engine(f"sqlite:///{path}").connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []


def test_database_opened_again_keeps_what_was_stored(tmp_path: Path) -> None:
    with open_database(tmp_path / "a.sqlite").write() as session:
        detectors.create(session, name="box", now_s=1.0)
    with open_database(tmp_path / "a.sqlite").read() as session:
        assert [row.name for row in detectors.every(session)] == ["box"]


def test_write_session_that_fails_leaves_everything_as_it_was(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            detectors.create(session, name="box", now_s=1.0)
            message = "on purpose"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as session:
        assert detectors.every(session) == []


def test_file_that_is_no_database_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "elfowl.sqlite"
    path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StorageError, match="not a database"):
        open_database(path)


def test_full_disk_is_a_storage_error_and_keeps_what_was_stored(database: Database) -> None:
    with database.write() as session:
        detectors.create(session, name="first", now_s=1.0)

    def fill() -> None:
        with database.write() as session:
            session.execute(text("PRAGMA max_page_count=1"))
            for number in range(2000):
                detectors.create(session, name=f"box {number}" + "x" * 60, now_s=1.0)

    with pytest.raises(StorageError, match="full"):
        fill()
    with database.read() as session:
        assert [row.name for row in detectors.every(session)] == ["first"]


def test_home_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="ELFOWL_HOME"):
        open_database(tmp_path / "file" / "elfowl.sqlite")
