"""PostgreSQL does what SQLite does: the same migrations, the same tests, and searches that find the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from cloud.search.find import Effort
from cloud.search.judge import Seen, span_of
from cloud.search.parse import parse_query
from cloud.store.database import open_database_url
from cloud.streams.desk import StreamBody
from edge_agent.errors import StorageError
from tests.cloud.search.seen import several
from tests.cloud.search.test_find import NOW_S, every, fill, oracle, texts
from tests.cloud.streams.test_desk import Desk
from tests.fakes.postgres_homes import SERVER
from tests.system.postgres import postgres

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def session(server: str) -> Iterator[Session]:
    open_database_url(server).close()
    engine = create_engine(server)
    with Session(engine) as session:
        yield session
    engine.dispose()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=several(), text=texts(), limit=st.sampled_from((1, 3, 50)))
def test_moments_found_in_postgresql_are_those_of_brute_force(
    session: Session, events: list[Seen], text: str, limit: int
) -> None:
    fill(session, events)
    query = parse_query(text)
    span = span_of(query, now_s=NOW_S)
    moments = every(session, query, span, limit, Effort(1, page=10_000, grows=2, rare=3))
    found = [(one.at_s, frozenset(event.event_id for event in one.events)) for one in moments]
    assert len(found) == len(set(found))
    assert set(found) == oracle(query, events, span)


TWINS = (
    "store/test_detectors.py",
    "store/test_devices.py",
    "streams/test_book.py",
    "ingest/test_batches.py",
    "notify/test_outbox.py",
    "actions/test_corrections.py",
    "actions/test_rollouts.py",
)
"""Tests of tables, that are to pass on PostgreSQL as they do on SQLite."""


def test_same_tests_pass_on_postgresql_as_on_sqlite(server: str, tmp_path: Path) -> None:
    files = [f"tests/cloud/{name}" for name in TWINS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, f"--basetemp={tmp_path / 'twins'}", "-m", "not slow and not system", *files],
        cwd=REPOSITORY,
        env={**os.environ, SERVER: server},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]


def test_writers_of_postgresql_wait_their_turn(server: str) -> None:
    database = open_database_url(server)

    def add_one(_: int) -> None:
        with database.write() as session:
            known = session.scalar(text("SELECT coalesce(max(n), 0) FROM counted"))
            session.execute(text("INSERT INTO counted VALUES (:n)"), {"n": known + 1})

    with database.write() as session:
        session.execute(text("CREATE TABLE counted (n integer)"))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_one, range(40)))
    with database.read() as session:
        assert sorted(session.scalars(text("SELECT n FROM counted"))) == list(range(1, 41))
    database.close()


def test_machines_that_start_together_make_the_tables_once(server: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE together"))
    engine.dispose()
    url = make_url(server).set(database="together").render_as_string(hide_password=False)
    command = [
        sys.executable,
        "-c",
        f"from cloud.store.database import *; open_database_url({url!r}).close()",
    ]
    starting = [subprocess.Popen(command, cwd=REPOSITORY) for _ in range(3)]
    assert [one.wait(280) for one in starting] == [0, 0, 0]


def test_streams_are_told_of_by_the_clock_of_postgresql(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVER, server)
    scene = Desk(tmp_path)
    scene.clock.jump_wall_clock(-1e9)
    body = StreamBody(name="door", address="rtsp://192.0.2.7/live", detectors=["persons"])
    told_s = scene.desk.add(body).created
    with scene.home.database.glance() as connection:
        shared_s = float(
            connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one()
        )
    assert told_s == pytest.approx(shared_s, abs=3600.0)
    scene.home.database.close()


def test_postgresql_that_is_away_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="ELFOWL_DATABASE"):
        open_database_url(f"postgresql+psycopg://elfowl@/postgres?host={tmp_path}&port=1")
