"""Requests that come twice, at once or again, with the same Idempotency-Key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from cloud.store.account_tables import AnsweredRow
from cloud.store.answered import KEEP_S
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.api.people import add_person, cheapen, forget_everybody
from tests.cloud.homes import add_detector

URL = "/api/v1/detectors"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return make_cloud(tmp_path_factory.mktemp("repeating"))


@pytest.fixture
def cloud(shared: Cloud) -> Iterator[Cloud]:
    """Return a cloud in which a day has passed since the last test."""
    shared.clock.advance(KEEP_S + 1)
    yield shared
    for row in shared.client.get(URL).json():
        shared.client.delete(f"{URL}/{row['id']}")


def test_same_request_again_gets_the_same_answer_and_nothing_happens_twice(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "a"}
    first = cloud.client.post(URL, json={"name": "persons"}, headers=key)
    again = cloud.client.post(URL, json={"name": "persons"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (
        None,
        "true",
    )
    assert cloud.client.post(URL, json={"name": "persons"}).status_code == 409


def test_another_request_with_a_used_key_is_refused(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "b"}
    cloud.client.post(URL, json={"name": "persons"}, headers=key)
    answer = cloud.client.post(URL, json={"name": "boxes"}, headers=key)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "take a new one" in answer.json()["detail"]


def test_request_that_was_refused_may_come_again_with_its_key(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "c"}
    path = f"{URL}/later/train"
    assert cloud.client.post(path, headers=key).status_code == 404
    add_detector(cloud.home, "later")
    assert cloud.client.post(path, headers=key).status_code == 202


def test_key_is_forgotten_after_a_day(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "d"}
    cloud.client.post(URL, json={"name": "persons"}, headers=key)
    cloud.clock.advance(KEEP_S + 1)
    assert cloud.client.post(URL, json={"name": "boxes"}, headers=key).status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_key_that_is_none_is_refused(cloud: Cloud, key: str) -> None:
    answer = cloud.client.post(URL, json={"name": "persons"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_of_many_at_once_with_one_key_one_has_an_effect(cloud: Cloud) -> None:
    detector_id = add_detector(cloud.home)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(cloud.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as client:
            path, headers = f"{URL}/{detector_id}/train", {"Idempotency-Key": "e"}
            return await asyncio.gather(*(client.post(path, headers=headers) for _ in range(5)))

    answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1
    assert len(cloud.client.get(f"{URL}/{detector_id}/jobs").json()) == 1


def test_request_that_a_stopped_server_did_not_answer_is_not_done_again_unseen(cloud: Cloud) -> None:
    key = {"Idempotency-Key": "f"}
    cloud.client.post(URL, json={"name": "persons"}, headers=key)
    with cloud.home.database.write() as session:
        for row in session.query(AnsweredRow):
            row.status = None
    answer = cloud.client.post(URL, json={"name": "persons"}, headers=key)
    assert answer.status_code == 409
    assert "the server stopped" in answer.json()["detail"]


def test_key_is_of_one_person_and_no_secret_is_kept(cloud: Cloud) -> None:
    cheapen(cloud)
    anna, bert = add_person(cloud, "anna", "owner"), add_person(cloud, "bert", "manager")
    key = {"Idempotency-Key": "g"}
    assert anna.client.post(URL, json={"name": "persons"}, headers=key).status_code == 201
    assert bert.client.post(URL, json={"name": "boxes"}, headers=key).status_code == 201
    made = [
        anna.client.post("/api/v1/me/tokens", json={"name": "t"}, headers={"Idempotency-Key": "h"}).json()
        for _ in range(2)
    ]
    assert made[0]["token"] != made[1]["token"]
    forget_everybody(cloud)
    cloud.app.state.services.people._known = False
