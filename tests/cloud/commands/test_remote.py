"""Commands against a running cloud: the same answers, and nothing left of what failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloud.client import CloudClient
from cloud.commands.backend import Examples
from cloud.commands.remote import RemoteCloud
from cloud.errors import ConflictError, InputError, NotFoundError
from edge_agent.errors import ElfowlError
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector, jpeg


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return make_cloud(tmp_path / "home")


@pytest.fixture
def remote(cloud: Cloud) -> RemoteCloud:
    # The routes of the application itself, without a socket.
    client = CloudClient("http://127.0.0.1:8420", transport=cloud.client._transport)
    return RemoteCloud(client, cloud.clock)


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


@pytest.mark.parametrize(
    ("error", "words"), [(NotFoundError, "no bundle 'nix'"), (ConflictError, "'persons' exists already")]
)
def test_words_of_the_server_reach_the_person(
    cloud: Cloud, remote: RemoteCloud, tmp_path: Path, error: type[ElfowlError], words: str
) -> None:
    add_detector(cloud.home, "persons")
    with pytest.raises(error, match=words):
        if error is NotFoundError:
            remote.publish("nix")
        else:
            remote.create("persons", write_examples(tmp_path / "teach"))
