"""Lists in pages: what a page holds, and where the next one is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    folder: Path = tmp_path_factory.mktemp("pages")
    cloud = make_cloud(folder)
    for number in range(5):
        cloud.clock.advance(1)
        add_detector(cloud.home, f"d{number}")
    return cloud


def test_pages_follow_one_another_and_hold_all(cloud: Cloud) -> None:
    url, names = "/api/v1/detectors?limit=2", []
    while url:
        answer = cloud.client.get(url)
        assert answer.headers["x-total-count"] == "5"
        names.append([one["name"] for one in answer.json()])
        following = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
        url = following[1] if following else ""
    assert names == [["d0", "d1"], ["d2", "d3"], ["d4"]]


def test_without_a_limit_all_is_listed_and_there_is_no_next_page(cloud: Cloud) -> None:
    answer = cloud.client.get("/api/v1/detectors")
    assert len(answer.json()) == 5
    assert "link" not in answer.headers


@pytest.mark.parametrize("query", ["limit=0", "limit=10001", "offset=-1", "limit=x"])
def test_page_that_is_none_is_refused(cloud: Cloud, query: str) -> None:
    assert cloud.client.get(f"/api/v1/detectors?{query}").status_code == 422


def test_every_route_that_lists_has_pages(document: dict[str, Any]) -> None:
    # These list what is bounded by itself: kinds of things, or what one body asked for.
    bounded = {
        "/api/v1/profiles", "/api/v1/alerts/kinds", "/api/v1/counts", "/api/v1/analytics/dwell",
        "/api/v1/media/{media_id}/frames/{index}/proposals",
    }  # fmt: skip
    unpaged = set()
    for path, operations in document["paths"].items():
        get = operations.get("get", {})
        schema = get.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {})
        names = {one["name"] for one in get.get("parameters", [])}
        if schema.get("schema", {}).get("type") == "array" and "limit" not in names:
            unpaged.add(path)
    assert unpaged - bounded == set(), "let them take `page: Paged` (cloud/api/paging.py)"
