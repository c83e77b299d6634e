"""Saved searches, and the parts of a search, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.api.conftest import Cloud
from tests.cloud.search.seen import START_S, row_of, seen

TEXT = "person in camera front is coat=red near dog within 5s between 22:00 and 06:00 since 30d"


def test_text_of_a_search_is_read_into_parts_and_written_back(cloud: Cloud) -> None:
    read = cloud.client.get("/api/v1/search/read", params={"q": f"  {TEXT.replace('near', 'NEAR')} "}).json()
    assert (read["text"], read["mistake"]) == (TEXT, None)
    assert read["query"]["first"]["attributes"] == [["coat", "red"]]
    assert cloud.client.post("/api/v1/search/read", json=read["query"]).json()["text"] == TEXT


@pytest.mark.parametrize(
    ("text", "place"),
    [("person near", 12), ("person then dog within 2h", None), ('a "b', 3), ("x" * 501, None)],
)
def test_mistake_in_a_search_is_told_with_its_place(cloud: Cloud, text: str, place: int | None) -> None:
    read = cloud.client.get("/api/v1/search/read", params={"q": text}).json()
    assert read["query"] is None
    assert read["mistake"]["place"] == place
    assert read["mistake"]["message"].startswith("search" if len(text) < 500 else "the search has 501")


@pytest.mark.parametrize(
    "parts",
    [{"first": {"label": ""}}, {"first": {"label": 'a"b'}}, {"first": {"label": "a"}, "relation": "near"}],
)
def test_parts_that_make_no_search_are_refused(cloud: Cloud, parts: dict[str, Any]) -> None:
    assert cloud.client.post("/api/v1/search/read", json=parts).status_code == 422


def test_what_was_seen_is_listed_to_choose_from(cloud: Cloud) -> None:
    with cloud.home.database.write() as session:
        changes: tuple[dict[str, Any], ...] = (
            {},
            {"label": "dog", "camera": "back"},
            {"device": "gate", "zones": frozenset({"yard"})},
        )
        attributes = frozenset({("coat", "red")})
        session.add_all(
            row_of(seen(event_id=f"event-{number:03}", attributes=attributes, start_s=START_S, **change))
            for number, change in enumerate(changes)
        )
    assert cloud.client.get("/api/v1/search/known").json() == {
        "labels": ["dog", "person"],
        "cameras": [
            {"device": "gate", "camera": "front"},
            {"device": "porch", "camera": "back"},
            {"device": "porch", "camera": "front"},
        ],
        "zones": ["yard"],
        "attributes": {"coat": ["red"]},
    }


def test_search_is_saved_listed_watched_and_forgotten(cloud: Cloud) -> None:
    body = {"name": "night visit", "query": "Person  between 22:00 and 06:00", "timezone": "Europe/Berlin"}
    saved = cloud.client.post("/api/v1/searches", json=body)
    assert (saved.status_code, saved.json()["query"]) == (201, "Person between 22:00 and 06:00")
    assert cloud.client.post("/api/v1/searches", json=body).status_code == 409
    rule = {"name": "door", "search": "night visit", "channels": ["json://127.0.0.1/"]}
    alert = cloud.client.post("/api/v1/alerts", json=rule).json()
    assert alert["rule"]["search"] == saved.json()["id"]
    assert [one["alerts"] for one in cloud.client.get("/api/v1/searches").json()] == [["door"]]
    kept = cloud.client.delete(f"/api/v1/searches/{saved.json()['id']}")
    assert (kept.status_code, "alert 'door'" in kept.json()["detail"]) == (409, True)
    cloud.client.delete("/api/v1/alerts/door")
    assert cloud.client.delete("/api/v1/searches/night%20visit").status_code == 204
    assert cloud.client.get("/api/v1/searches").json() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"query": "person near"}, "at character 12"),
        ({"timezone": "Mars/Base"}, "no time zone"),
        ({"name": ""}, "name"),
    ],
)
def test_search_that_cannot_be_saved_is_refused_with_the_reason(
    cloud: Cloud, changes: dict[str, str], told: str
) -> None:
    answer = cloud.client.post("/api/v1/searches", json={"name": "a", "query": "person", **changes})
    assert answer.status_code == 422
    assert told in answer.text


def test_alert_by_a_search_that_is_not_there_is_refused(cloud: Cloud) -> None:
    rule = {"name": "door", "search": "none", "channels": ["json://127.0.0.1/"]}
    assert cloud.client.post("/api/v1/alerts", json=rule).status_code == 404
