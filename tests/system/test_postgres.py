"""Searches in PostgreSQL find what they find in SQLite; its tables come from the same migrations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from cloud.search.find import Effort
from cloud.search.judge import Seen, span_of
from cloud.search.parse import parse_query
from cloud.store.database import open_database_url
from tests.cloud.search.seen import several
from tests.cloud.search.test_find import NOW_S, every, fill, oracle, texts
from tests.system.postgres import postgres

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        open_database_url(url).close()
        engine = create_engine(url)
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
