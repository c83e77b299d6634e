"""Alerts over HTTP and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.cli import app
from tests.cloud.api.conftest import make_cloud
from tests.cloud.homes import with_tables
from tests.cloud.notify.receiver import receiving
from tests.fakes.console import Console


def test_alert_is_added_listed_tested_and_removed_over_http(tmp_path: Path) -> None:
    client = make_cloud(tmp_path).client
    with receiving() as receiver:
        rule = {"name": "front door", "labels": ["person"], "channels": [receiver.address]}
        made = client.post("/api/v1/alerts", json=rule)
        assert made.status_code == 201
        assert client.post("/api/v1/alerts", json=rule).status_code == 409
        (listed,) = client.get("/api/v1/alerts").json()
        assert listed["rule"]["channels"] == ["json://…"]
        tested = client.post("/api/v1/alerts/front%20door/test").json()
        assert tested == [{"address": "json://…", "arrived": True, "error": None}]
        assert receiver.take()["title"] == "front door: test"
        receiver.status = 404
        (failed,) = client.post(f"/api/v1/alerts/{made.json()['id']}/test").json()
        assert (failed["arrived"], "404" in failed["error"]) == (False, True)
    assert client.get("/api/v1/alerts/log").json() == []
    assert client.delete("/api/v1/alerts/front%20door").status_code == 204
    assert client.delete("/api/v1/alerts/front%20door").status_code == 404
    assert client.get("/api/v1/alerts/log?alert=gone").status_code == 404


def test_alert_that_cannot_be_kept_is_refused_with_the_reason(tmp_path: Path) -> None:
    client = make_cloud(tmp_path).client
    table: list[tuple[dict[str, object], str]] = [
        ({"channels": ["syslog://"]}, "ELFOWL_ALERT_SCHEMES"),
        ({"channels": []}, "channels"),
        ({"quiet": ["at night"]}, "22:00-06:00"),
        ({"label": "person"}, "label"),
    ]
    for fields, words in table:
        answer = client.post("/api/v1/alerts", json={"name": "door", "channels": ["json://a/"], **fields})
        assert answer.status_code == 422
        assert words in answer.text
    assert client.get("/api/v1/alerts").json() == []


def test_alert_is_added_listed_tested_and_removed_from_the_command_line(tmp_path: Path) -> None:
    home = ["--home", str(with_tables(tmp_path))]
    run = Console().invoke
    with receiving() as receiver:
        options = ["--attribute", "jacket=red", "--quiet", "22:00-06:00", "--cooldown", "2m", "--json"]
        added = run(app, ["alert", "add", "door", "--to", receiver.address, *options, *home])
        rule = json.loads(added.output)["rule"]
        assert (rule["attributes"], rule["cooldown_s"]) == ({"jacket": "red"}, 120.0)
        assert "json://…" in run(app, ["alert", "list", *home]).output
        assert "arrived" in run(app, ["alert", "test", "door", *home]).output
        assert receiver.take()["title"] == "door: test"
    failed = run(app, ["alert", "test", "door", *home])
    assert "did not arrive" in str(failed.exception)
    assert run(app, ["alert", "log", "door", *home]).output == "nothing was sent yet\n"
    assert run(app, ["alert", "remove", "door", *home]).exit_code == 0
    assert "no alerts yet" in run(app, ["alert", "list", *home]).output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--to", "syslog://"], "not allowed here"),
        (["--to", "json://a/", "--search", "visit"], "no saved search 'visit'"),
        (["--to", "json://a/", "--attribute", "red"], "slug=value"),
        (["--to", "json://a/", "--hours", "late"], "mon-fri 08:00-18:00"),
    ],
)
def test_wrong_option_is_refused_with_the_reason(tmp_path: Path, options: list[str], words: str) -> None:
    done = Console().invoke(app, ["alert", "add", "door", *options, "--home", str(with_tables(tmp_path))])
    assert words in str(done.exception)


def test_alert_is_changed_and_keeps_the_addresses_that_nobody_sees(tmp_path: Path) -> None:
    client = make_cloud(tmp_path).client
    with receiving() as receiver:
        rule = {"name": "door", "channels": [receiver.address, "ntfy://127.0.0.1/topic"]}
        made = client.post("/api/v1/alerts", json=rule).json()
        changed = {"name": "front door", "labels": ["person"], "enabled": False, "channels": ["kept://0"]}
        answer = client.put(f"/api/v1/alerts/{made['id']}", json=changed).json()
        assert (answer["id"], answer["name"], answer["rule"]["channels"]) == (
            made["id"], "front door", ["json://…"],
        )  # fmt: skip
        client.post("/api/v1/alerts/front%20door/test")
        assert receiver.take()["title"] == "front door: test"
    client.post("/api/v1/alerts", json={"name": "yard", "channels": ["json://127.0.0.1/"]})
    table = [
        ("kept://1", "the alert has 1 addresses"),
        ("kept://x", "the first is"),
        ("syslog://", "not allowed"),
    ]
    for address, words in table:
        refused = client.put("/api/v1/alerts/front%20door", json={**changed, "channels": [address]})
        assert (refused.status_code, words in refused.text) == (422, True)
    assert client.put("/api/v1/alerts/yard", json={**changed, "channels": ["kept://0"]}).status_code == 409
    assert client.put("/api/v1/alerts/gone", json=changed).status_code == 404
    assert "json" in client.get("/api/v1/alerts/kinds").json()
