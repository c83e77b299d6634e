"""Searches and counts over HTTP and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.actions.open_home import Home
from cloud.cli import app
from tests.cloud.api.conftest import Cloud
from tests.cloud.homes import make_home
from tests.cloud.search.seen import START_S, row_of, seen
from tests.fakes.console import Console


def fill(home: Home) -> None:
    with home.database.write() as session:
        session.add_all(
            [
                row_of(seen(event_id="event-001")),
                row_of(seen(event_id="event-002", label="dog", start_s=START_S + 8, until_s=START_S + 12)),
            ]
        )


def test_search_over_http_tells_its_moments(cloud: Cloud) -> None:
    fill(cloud.home)
    moments = cloud.client.get("/api/v1/search", params={"q": "person  NEAR dog within 5s"}).json()
    assert (moments["query"], moments["after"]) == ("person near dog within 5s", None)
    assert [(one["at"], [event["event_id"] for event in one["events"]]) for one in moments["moments"]] == [
        (START_S + 8, ["event-001", "event-002"])
    ]


def test_search_that_finds_nothing_tells_what_comes_nearest(cloud: Cloud) -> None:
    fill(cloud.home)
    near = cloud.client.get("/api/v1/search", params={"q": "person near dog"}).json()
    assert near["moments"] == []
    assert near["nearest"][0]["query"] == "person near dog within 5s"
    unknown = cloud.client.get("/api/v1/search", params={"q": "dgo"}).json()
    assert (unknown["nearest"], unknown["labels"]) == ([], ["dog", "person"])


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"q": "person near"}, "at character 12"),
        ({"q": "person", "timezone": "Mars/Base"}, "no time zone"),
        ({"q": "person", "timezone": "../etc"}, "no time zone"),
        ({"q": "person", "after": "x"}, "names no page"),
    ],
)
def test_search_that_is_wrong_is_told_so(cloud: Cloud, params: dict[str, str], told: str) -> None:
    answer = cloud.client.get("/api/v1/search", params=params)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_counts_over_http_are_json_or_a_table(cloud: Cloud) -> None:
    fill(cloud.home)
    path = "/api/v1/counts?by=day&by=label"
    assert cloud.client.get(path).json()[0] == {"key": {"day": "2027-01-15", "label": "dog"}, "events": 1}
    table = cloud.client.get(path + "&csv=true")
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines() == ["day,label,events", "2027-01-15,dog,1", "2027-01-15,person,1"]


def test_search_from_the_command_line_reads_the_home_folder(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    fill(home)
    environment = {"ELFOWL_HOME": str(tmp_path)}
    lines = Console().invoke(app, ["search", "person then dog"], env=environment).stdout
    assert lines == (
        "2027-01-15 08:00:08  12 s  person at porch/front (event-001), dog at porch/front (event-002)\n"
    )
    document = Console().invoke(app, ["search", "dog then person", "--json"], env=environment).stdout
    assert json.loads(document)["nearest"]
    told = Console().invoke(app, ["search", "dog then person"], env=environment).stdout
    assert told.startswith("none found\nbut dog alone: 2027-01-15 08:00:08")
