"""An event makes a moment of a search exactly when looking at every pair says so."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from sqlalchemy.orm import Session

from cloud.search.judge import Seen, span_of
from cloud.search.parse import parse_query
from cloud.search.watch import moment_with
from tests.cloud.search.seen import several
from tests.cloud.search.test_find import NOW_S, fill, oracle, session, texts

__all__ = ["session"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=several(), text=texts())
def test_event_is_in_the_newest_moment_that_brute_force_finds_with_it(
    session: Session,
    events: list[Seen],
    text: str,
) -> None:
    fill(session, events)
    query = parse_query(text)
    span = span_of(query, now_s=NOW_S)
    hits = oracle(query, events, span)
    for event in events:
        moment = moment_with(session, query, span, event)
        times = [at_s for at_s, ids in hits if event.event_id in ids]
        assert (None if moment is None else moment.at_s) == (max(times) if times else None)
