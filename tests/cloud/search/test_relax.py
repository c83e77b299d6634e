"""When nothing is found, the nearest search that finds something is told; counts of events."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from cloud.search.counts import By, Counting, as_csv, count_events
from cloud.search.parse import parse_query
from cloud.search.relax import labels_seen, nearest
from cloud.store.tables import Base
from tests.cloud.search.seen import PLACES, START_S, row_of, seen


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "person near dog",
            [
                ("within 30s", "person near dog within 30s"),
                ("person alone", "person"),
                ("dog alone", "dog"),
            ],
        ),
        ("person score > 0.9", [("person with any score", "person")]),
        ("person in zone pool", [("person in any zone", "person")]),
        ("person in camera back", [("person at any camera", "person")]),
        ("person is coat=red", [("person with any coat", "person")]),
        ("person since 10s", [("at any time", "person")]),
        ("person near cat", [("person alone", "person")]),
        ("cat", []),
    ],
)
def test_search_that_finds_nothing_names_the_nearest_that_do(
    session: Session, text: str, expected: list[tuple[str, str]]
) -> None:
    session.add_all(
        [
            row_of(seen(event_id="event-001")),
            row_of(seen(event_id="event-002", label="dog", start_s=START_S + 20, until_s=START_S + 22)),
        ]
    )
    found = nearest(session, parse_query(text), now_s=START_S + 100)
    assert [(one.given_up, str(one.query)) for one in found] == expected


def test_labels_seen_are_each_once_in_order(session: Session) -> None:
    session.add_all(
        row_of(seen(event_id=f"event-{i:03}", label=label)) for i, label in enumerate(("dog", "cat", "dog"))
    )
    assert labels_seen(session) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("by", "zone", "expected"),
    [
        (("label",), "UTC", [(("dog",), 1), (("person",), 2)]),
        (("day",), "UTC", [(("2027-01-15",), 3)]),
        (("day", "label"), "Pacific/Kiritimati", [(("2027-01-15", "person"), 1), (("2027-01-16", "dog"), 1),
                                                  (("2027-01-16", "person"), 1)]),
        (("hour",), "Asia/Kolkata", [(("2027-01-15T13:00+0530",), 1), (("2027-01-15T15:00+0530",), 2)]),
        (("camera", "device"), "UTC", [(("back", "porch"), 1), (("front", "porch"), 2)]),
    ],
)  # fmt: skip
def test_events_are_counted_by_what_was_asked(
    session: Session, by: tuple[By, ...], zone: str, expected: list[tuple[tuple[str, ...], int]]
) -> None:
    session.add_all(
        [
            row_of(seen(event_id="event-001")),
            row_of(seen(event_id="event-002", label="dog", start_s=START_S + 7200, box=PLACES[1])),
            row_of(seen(event_id="event-003", camera="back", start_s=START_S + 7300)),
        ]
    )
    counts = count_events(session, Counting(by), ZoneInfo(zone))
    assert [(count.key, count.events) for count in counts] == expected


def test_counts_are_of_the_time_and_things_that_were_asked_for(session: Session) -> None:
    session.add_all(row_of(seen(event_id=f"event-{i:03}", start_s=START_S + i)) for i in range(5))
    counting = Counting(("label",), since_s=START_S + 1, until_s=START_S + 4, label="person", camera="front")
    assert [count.events for count in count_events(session, counting)] == [3]


def test_table_of_counts_starts_no_formula(session: Session) -> None:
    session.add(row_of(seen(label="=1+1")))
    assert as_csv(("label",), count_events(session, Counting(("label",)))) == "label,events\r\n'=1+1,1\r\n"
