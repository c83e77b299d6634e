"""Commands against a running cloud: the same answers, and nothing left of what failed."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from cloud.client import CloudClient
from cloud.commands.backend import Examples
from cloud.commands.remote import RemoteCloud
from cloud.errors import ConflictError, InputError, NotFoundError
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector, jpeg


class InProcess(httpx.BaseTransport):
    """Carries requests to the application itself, without a socket."""

    def __init__(self, browser: TestClient) -> None:
        self._browser = browser

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._browser.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return make_cloud(tmp_path / "home")


@pytest.fixture
def remote(cloud: Cloud) -> RemoteCloud:
    return RemoteCloud(CloudClient("http://127.0.0.1:8420", transport=InProcess(cloud.client)), cloud.clock)


def write_examples(folder: Path, bbox: tuple[int, ...] = (6, 6, 20, 20)) -> Examples:
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg())
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": bbox}],
    }
    (folder / "labels.json").write_text(json.dumps(document))
    return Examples(folder, None, folder / "labels.json")


def test_detector_is_made_with_frames_to_test_on(remote: RemoteCloud, tmp_path: Path) -> None:
    made = remote.create("persons", write_examples(tmp_path / "teach"), write_examples(tmp_path / "test"))
    assert (made["frames"], made["boxes"], made["test_frames"]) == (1, 1, 1)
    assert made["counts"]["labelled_frames"] == 1
    assert [one["name"] for one in remote.detectors()] == ["persons"]


def test_nothing_is_left_when_only_the_test_frames_are_wrong(remote: RemoteCloud, tmp_path: Path) -> None:
    wrong = write_examples(tmp_path / "test", bbox=(60, 6, 20, 20))
    with pytest.raises(InputError, match="outside"):
        remote.create("persons", write_examples(tmp_path / "teach"), wrong)
    assert remote.detectors() == []


def test_words_of_the_server_reach_the_person(cloud: Cloud, remote: RemoteCloud, tmp_path: Path) -> None:
    add_detector(cloud.home, "persons")
    with pytest.raises(NotFoundError, match="no bundle 'nix'"):
        remote.publish("nix")
    examples = write_examples(tmp_path / "teach")
    with pytest.raises(ConflictError, match="'persons' exists already"):
        remote.create("persons", examples)
