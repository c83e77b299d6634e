"""Searches in a database find exactly what looking at every event and every pair of events finds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete
from sqlalchemy.orm import Session

from cloud.errors import InputError
from cloud.search.find import Effort, find
from cloud.search.judge import Moment, Seen, Span, span_of
from cloud.search.parse import parse_query
from cloud.search.query import Query, Thing
from cloud.store.tables import Base, EventState
from tests.cloud.search.seen import START_S, row_of, seen, several

THINGS = (
    "person", "dog", "person in camera front", "dog in camera back", "person in zone yard is coat=red",
    "dog score > 0.7", "cat",
)  # fmt: skip
PAIRS = (
    ("with", ""), ("near", ""), ("near", "within 5s within 10%"), ("near", "within 200s within 90%"),
    ("then", ""), ("then", "within 400s"),
)  # fmt: skip
ENDS = ("", "since 900s", "until 800s", "since 1196s until 4s", "between 08:00 and 08:02")
NOW_S = START_S + 1200


def texts() -> st.SearchStrategy[str]:
    thing, end = st.sampled_from(THINGS), st.sampled_from(ENDS)
    alone = st.tuples(thing, end).map(" ".join)
    pair = st.tuples(thing, st.sampled_from(PAIRS), thing, end)
    return alone | pair.map(lambda p: f"{p[0]} {p[1][0]} {p[2]} {p[1][1]} {p[3]}")


def fits(event: Seen, thing: Thing) -> bool:
    return (
        event.label == thing.label
        and (thing.camera is None or event.camera == thing.camera)
        and (thing.zone is None or thing.zone in event.zones)
        and all(wanted in event.attributes for wanted in thing.attributes)
        and (thing.above_score is None or event.top_score > thing.above_score)
    )


def apart(a: Seen, b: Seen) -> float:
    across = max(a.box[0], b.box[0]) - min(a.box[2], b.box[2])
    down = (max(a.box[1], b.box[1]) - min(a.box[3], b.box[3])) * a.aspect
    return math.sqrt(max(across, 0) ** 2 + max(down, 0) ** 2)


def together(query: Query, a: Seen, b: Seen) -> float | None:
    """Return when two events fulfil a query, if they do."""
    assert query.second is not None
    named = query.relation == "then" and query.first.camera and query.second.camera
    if a is b or (not named and (a.device, a.camera) != (b.device, b.camera)):
        return None
    if query.relation == "then":
        return b.start_s if 0 < b.start_s - a.start_s <= (query.within_s or 10) else None
    reach_s = query.within_s or 0
    if a.start_s > b.until_s + reach_s or b.start_s > a.until_s + reach_s:
        return None
    if query.relation == "near" and apart(a, b) > (query.within_percent or 25) / 100:
        return None
    return max(a.start_s, b.start_s)


def oracle(query: Query, events: list[Seen], span: Span) -> set[tuple[float, frozenset[str]]]:
    if query.second is None:
        hits = {(one.start_s, frozenset({one.event_id})) for one in events if fits(one, query.first)}
    else:
        hits = set()
        for a in events:
            for b in events:
                if fits(a, query.first) and fits(b, query.second):
                    at_s = together(query, a, b)
                    hits |= set() if at_s is None else {(at_s, frozenset({a.event_id, b.event_id}))}
    hits = {hit for hit in hits if span.since_s <= hit[0] < span.until_s}
    if query.day is None:
        return hits
    minutes = {hit: datetime.fromtimestamp(hit[0], UTC) for hit in hits}
    return {hit for hit in hits if minutes[hit].hour == 8 and minutes[hit].minute < 2}


def every(session: Session, query: Query, span: Span, limit: int, effort: Effort) -> list[Moment]:
    moments: list[Moment] = []
    after = None
    while True:
        page = find(session, query, span, limit=limit, after=after, effort=effort)
        moments += page.moments
        if page.after is None:
            return moments
        after = page.after


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


def fill(session: Session, events: list[Seen]) -> None:
    session.rollback()
    session.execute(delete(EventState))
    session.add_all([row_of(one) for one in events])
    session.flush()


@pytest.mark.parametrize("first_slice", [1, 100])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=several(), text=texts(), limit=st.sampled_from((1, 3, 50)), page=st.sampled_from((3, 10_000)))
def test_moments_found_are_those_of_brute_force_newest_first_each_once(
    session: Session,
    first_slice: int,
    events: list[Seen],
    text: str,
    limit: int,
    page: int,
) -> None:
    fill(session, events)
    query = parse_query(text)
    span = span_of(query, now_s=NOW_S)
    moments = every(session, query, span, limit, Effort(first_slice, page=page, grows=2, rare=3))
    found = [(one.at_s, frozenset(event.event_id for event in one.events)) for one in moments]
    expected = oracle(query, events, span)
    assert len(found) == len(expected)
    assert set(found) == expected
    assert all(newer.key > older.key for newer, older in pairwise(moments))


def test_page_after_which_nothing_comes_says_so(session: Session) -> None:
    fill(session, [seen(event_id=f"event-{number:03}") for number in range(3)])
    first = find(session, parse_query("person"), Span(-math.inf, math.inf), limit=2)
    assert first.after is not None
    last = find(session, parse_query("person"), Span(-math.inf, math.inf), limit=2, after=first.after)
    assert (len(first.moments), len(last.moments), last.after) == (2, 1, None)


@pytest.mark.parametrize("after", ["", "x", "nan_1", "1.0", "1.0_-1"])
def test_page_after_no_page_is_refused(session: Session, after: str) -> None:
    with pytest.raises(InputError, match="names no page"):
        find(session, parse_query("person"), Span(-math.inf, math.inf), after=after)


def test_dates_are_of_the_zone_of_whoever_asks() -> None:
    query = parse_query("person since 2026-11-28 until 2026-11-28T12:00")
    span = span_of(query, now_s=0.0, zone=ZoneInfo("Europe/Berlin"))
    midnight = datetime(2026, 11, 27, 23, tzinfo=UTC).timestamp()
    assert (span.since_s, span.until_s) == (midnight, midnight + 12 * 3600)


def test_tables_of_the_search_are_those_of_the_migrations(tmp_path: Path) -> None:
    from cloud.store.database import open_database

    database = open_database(tmp_path / "elfowl.sqlite")
    with database.read() as session:
        query = parse_query("person near dog within 5s")
        assert find(session, query, span_of(query, now_s=NOW_S)).moments == ()
    database.close()


def test_moment_that_reaches_over_several_slices_is_found_once(session: Session) -> None:
    stays = seen(event_id="event-000", until_s=START_S + 900)
    dog = seen(event_id="event-001", label="dog", start_s=START_S + 15, until_s=START_S + 17)
    others = [
        seen(event_id=f"{label}-{at:03}", label=label, camera=camera, start_s=START_S + at)
        for label, camera, times in (("person", "back", (2, 10, 20, 30)), ("dog", "side", range(6)))
        for at in times
    ]
    fill(session, [stays, dog, *others])
    query, span = parse_query("person with dog"), Span(-math.inf, math.inf)
    assert len(every(session, query, span, 50, Effort(1, page=10_000, grows=1))) == 1


@pytest.mark.parametrize(
    ("last", "events", "found", "next_one"),
    [
        (0, 0, 0, 100),
        (100, 100, 0, 400),
        (100, 100, 2, 400),
        (400, 500, 40, 179),
        (1600, 2100, 50, 100),
        (1600, 2100, 3, 1600),
        (40, 40, 50, 100),
    ],
    ids=[
        "first",
        "found nothing",
        "found little",
        "little is left",
        "one is left",
        "at most",
        "small before",
    ],
)
def test_slice_holds_about_what_it_takes_to_fill_the_page(
    last: int, events: int, found: int, next_one: int
) -> None:
    assert Effort().next_slice(last, events, found, wanted=51) == next_one
