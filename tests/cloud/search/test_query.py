"""The text of a search: what it means, what is wrong with it, and that it is printed as it is read."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from cloud.errors import InputError
from cloud.search.parse import parse_query
from cloud.search.query import Ago, At, Day, Query, Thing

NAMES = st.one_of(
    st.sampled_from(("person", "dog", "with", "Score", "fire truck", "a=b", "22:00", "ä")),
    st.text(st.characters(exclude_characters='"', exclude_categories=("Cs", "Cc")), min_size=1, max_size=8),
)
MILLIONTHS = st.integers(1, 10**8).map(lambda number: number / 10**6)
THINGS = st.builds(
    Thing,
    label=NAMES,
    camera=st.none() | NAMES,
    zone=st.none() | NAMES,
    attributes=st.lists(st.tuples(NAMES, NAMES), max_size=2).map(tuple),
    above_score=st.none() | MILLIONTHS,
)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - of whoever asks
    lambda when: At(local=when.replace(microsecond=0))
)
WHENS = st.none() | TIMES | st.integers(1, 10**7).map(lambda seconds: Ago(seconds=seconds))
DAYS = st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda day: day[0] != day[1])


@st.composite
def queries(draw: st.DrawFn) -> Query:
    relation = draw(st.sampled_from((None, "with", "near", "then")))
    day = draw(st.none() | DAYS)
    return Query(
        first=draw(THINGS),
        relation=relation,
        second=None if relation is None else draw(THINGS),
        within_s=draw(st.none() | st.integers(1, 3600)) if relation in {"near", "then"} else None,
        within_percent=draw(st.none() | MILLIONTHS) if relation == "near" else None,
        day=None if day is None else Day(begin_min=day[0], end_min=day[1]),
        since=draw(WHENS),
        until=draw(WHENS),
    )


@given(queries())
def test_query_printed_and_read_again_is_the_same(query: Query) -> None:
    assume(len(str(query)) <= 500)
    assert parse_query(str(query)) == query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("person", Query(first=Thing(label="person"))),
        (
            "Person in zone yard is coat=red score>0.6 near dog within 5s within 20%",
            Query(
                first=Thing(label="Person", zone="yard", attributes=(("coat", "red"),), above_score=0.6),
                relation="near",
                second=Thing(label="dog"),
                within_s=5,
                within_percent=20,
            ),
        ),
        (
            'person THEN "fire truck" in camera gate between 22:00 and 6:00 since 30d until 2026-11-28T10:30',
            Query(
                first=Thing(label="person"),
                relation="then",
                second=Thing(label="fire truck", camera="gate"),
                day=Day(begin_min=1320, end_min=360),
                since=Ago(seconds=30 * 86_400),
                until=At(local=datetime(2026, 11, 28, 10, 30)),  # noqa: DTZ001 - of whoever asks
            ),
        ),
    ],
)
def test_text_read_means_the_query(text: str, query: Query) -> None:
    assert parse_query(text) == query


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("", 1, "a label"),
        ("near dog", 1, "a label"),
        ("person near", 12, "a label"),
        ("person dog", 8, "with, near, then"),
        ("person with dog cat", 17, "within"),
        ("person in garden yard", 11, "camera or zone"),
        ("person is coat red", 16, "="),
        ("person score > high", 16, "a number"),
        ("person near dog within soon", 24, "a time such as 5s"),
        ("person between 25:00 and 6:00", 16, "a time of day"),
        ("person between 6:00 and 6:00", 25, "another time"),
        ("person since yesterday", 14, "a date"),
        ("person\0", 7, "a character"),
        ("person since 0s", 14, "a date"),
        ('person in zone "yard', 16, "a closing"),
        ("person since 1d since 2d", 17, "no second since"),
    ],
)
def test_wrong_text_is_told_with_place_and_what_was_expected(text: str, place: int, expected: str) -> None:
    with pytest.raises(InputError, match=f"at character {place}: expected.*{expected}"):
        parse_query(text)


@pytest.mark.parametrize("text", ["person within 5s", "person with dog within 5s", "a then b within 5%"])
def test_reach_that_its_relation_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="belong"):
        parse_query(text)


def test_reach_of_more_than_an_hour_is_refused() -> None:
    with pytest.raises(InputError, match="at most 1h"):
        parse_query("person then dog within 61m")


def test_second_thing_without_a_relation_is_refused() -> None:
    with pytest.raises(ValidationError, match="two things need"):
        Query(first=Thing(label="a"), second=Thing(label="b"))
