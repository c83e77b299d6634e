"""The API's description: every route says what it does, and the page needs nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from cloud.api.reference import route_lines
from tests.cloud.api.conftest import Cloud


def test_every_route_has_a_sentence_of_its_own(document: dict[str, Any]) -> None:
    groups = route_lines(document)
    lines = [line for group in groups.values() for line in group]
    assert len(lines) > 40
    assert [line for line in lines if len(line.summary.split()) < 3] == []
    assert len({line.summary for line in lines}) == len(lines)


def test_page_lists_every_route_and_loads_only_from_here(cloud: Cloud, document: dict[str, Any]) -> None:
    page = cloud.client.get("/docs")
    assert [path for path in document["paths"] if f"<code>{path}</code>" not in page.text] == []
    links = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert [link for link in links if not link.startswith("/")] == []
    assert "<script" not in page.text
    assert [cloud.client.get(link).status_code for link in set(links) - {"/"}] == [200] * (
        len(set(links)) - 1
    )


def test_body_of_a_route_is_named(document: dict[str, Any]) -> None:
    groups = route_lines(document)
    takes = {(line.method, line.path): line.takes for group in groups.values() for line in group}
    assert takes["POST", "/api/v1/detectors"] == "NewDetector"
    assert takes["POST", "/api/v1/detectors/{detector_id}/media"] == "?role, multipart/form-data"
    assert takes["GET", "/api/v1/health"] == ""
