"""ETags: what did not change is not sent again, and what changed meanwhile is not overwritten."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return make_cloud(tmp_path_factory.mktemp("tags"))


@pytest.fixture
def url(cloud: Cloud) -> str:
    cloud.clock.advance(1)
    return f"/api/v1/detectors/{add_detector(cloud.home, f'd{cloud.clock.now_s()}')}"


def test_what_did_not_change_is_not_sent_again(cloud: Cloud, url: str) -> None:
    first = cloud.client.get(url)
    tag = {"If-None-Match": first.headers["etag"]}
    same = cloud.client.get(url, headers=tag)
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    cloud.client.patch(url, json={"labels": ["person", "dog"]})
    assert cloud.client.get(url, headers=tag).json()["labels"] == ["person", "dog"]


@pytest.mark.parametrize(
    ("tag", "status"),
    [("mine", 200), ("*", 200), ('"old"', 412), ('"old", mine', 200)],
)
def test_change_is_made_only_to_what_was_seen(cloud: Cloud, url: str, tag: str, status: int) -> None:
    mine = cloud.client.get(url).headers["etag"]
    headers = {"If-Match": tag.replace("mine", mine)}
    answer = cloud.client.patch(url, json={"labels": ["cat"]}, headers=headers)
    assert answer.status_code == status
    if status == 412:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "changed since you loaded it" in answer.json()["detail"]
        assert cloud.client.get(url).json()["labels"] == ["person"]


def test_what_has_no_tag_cannot_be_compared(cloud: Cloud) -> None:
    answer = cloud.client.delete("/api/v1/searches/none", headers={"If-Match": "*"})
    assert answer.status_code == 412
    assert "leave the header out" in answer.json()["detail"]


def test_of_many_who_saw_the_same_one_changes_it(cloud: Cloud, url: str) -> None:
    headers = {"If-Match": cloud.client.get(url).headers["etag"]}

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(cloud.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8420") as client:
            bodies = [{"labels": [f"class {number}"]} for number in range(4)]
            answers = await asyncio.gather(
                *(client.patch(url, json=body, headers=headers) for body in bodies)
            )
        return [answer.status_code for answer in answers]

    assert sorted(asyncio.run(ask())) == [200, 412, 412, 412]


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/door"])
def test_what_is_about_sessions_is_in_no_cache(cloud: Cloud, path: str) -> None:
    assert "etag" not in cloud.client.get(path).headers
