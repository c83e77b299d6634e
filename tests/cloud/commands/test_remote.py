"""Commands against a running cloud: the same answers, and nothing left of what failed."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from cloud.client import LARGE_BYTES, CloudClient
from cloud.commands.backend import Examples, Incoming
from cloud.commands.remote import RemoteCloud
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.jobs.progress import ProgressLine
from edge_agent.errors import ElfowlError, LinkError
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector, jpeg


class InProcess(httpx.BaseTransport):
    """Carries requests to the application itself, without a socket; loses parts of uploads if so wanted."""

    def __init__(self, browser: TestClient) -> None:
        self._browser = browser
        self.lost_parts: list[int] = []
        self.parts_bytes: list[int] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH" and "/uploads/" in request.url.path:
            self.parts_bytes.append(len(request.read()))
            if len(self.parts_bytes) in self.lost_parts:
                message = "the line is cut"
                raise httpx.ConnectError(message)
        answer = self._browser.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return make_cloud(tmp_path / "home")


@pytest.fixture
def line(cloud: Cloud) -> InProcess:
    return InProcess(cloud.client)


@pytest.fixture
def remote(cloud: Cloud, line: InProcess) -> RemoteCloud:
    client = CloudClient("http://127.0.0.1:8420", transport=line, clock=cloud.clock)
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


def test_words_of_the_server_reach_the_person(cloud: Cloud, remote: RemoteCloud, tmp_path: Path) -> None:
    add_detector(cloud.home, "persons")
    with pytest.raises(NotFoundError, match="no bundle 'nix'"):
        remote.publish("nix")
    examples = write_examples(tmp_path / "teach")
    with pytest.raises(ConflictError, match="'persons' exists already"):
        remote.create("persons", examples)


def _large_picture(path: Path) -> Path:
    path.write_bytes(jpeg() + bytes(LARGE_BYTES))
    return path


def test_large_file_goes_in_parts_and_a_lost_one_is_sent_again(
    remote: RemoteCloud, line: InProcess, cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    large = _large_picture(tmp_path / "pictures" / "a.jpg")
    line.lost_parts = [2]
    remote.create("persons", Examples(tmp_path / "pictures", None, None))
    length = large.stat().st_size
    assert line.parts_bytes == [8_000_000, 8_000_000, 8_000_000, length - 16_000_000]
    (medium,) = cloud.client.get("/api/v1/detectors/persons/media").json()
    assert medium["state"] == "ready"


def test_large_file_that_was_given_up_goes_on_at_the_next_call(
    cloud: Cloud, line: InProcess, tmp_path: Path
) -> None:
    detector_id = add_detector(cloud.home)
    large = _large_picture(tmp_path / "a.jpg")
    client = CloudClient("http://127.0.0.1:8420", transport=line, clock=cloud.clock)
    line.lost_parts = list(range(2, 99))
    with pytest.raises(LinkError, match="send it again and it goes on where it was"):
        client.send(detector_id, large)
    line.lost_parts, line.parts_bytes = [], []
    shares: list[float] = []
    assert client.send(detector_id, large, on_sent=shares.append).media_id is not None
    assert shares[0] == pytest.approx(8_000_000 / large.stat().st_size)
    assert sum(line.parts_bytes) == large.stat().st_size - 8_000_000


def test_large_file_that_is_no_picture_is_refused_with_the_servers_words(
    cloud: Cloud, line: InProcess, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(bytes(LARGE_BYTES))
    client = CloudClient("http://127.0.0.1:8420", transport=line, clock=cloud.clock)
    with pytest.raises(InputError, match=r"a\.jpg"):
        client.send(add_detector(cloud.home), tmp_path / "a.jpg")


def test_import_with_a_large_file_waits_for_all_of_it(
    remote: RemoteCloud, cloud: Cloud, tmp_path: Path
) -> None:
    add_detector(cloud.home)
    large = _large_picture(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(jpeg(grey=9))
    order = Incoming((large, tmp_path / "b.jpg"), "teach", folders_are_classes=False)
    shown: list[ProgressLine] = []
    with pytest.raises(ElfowlError, match="import was cancelled"):
        remote.import_files("persons", order, shown.append, lambda: True)
    assert [one.message for one in shown][-1] == "Sending b.jpg"
    (job,) = cloud.client.get("/api/v1/detectors/persons/jobs").json()
    folder = cloud.home.settings.home / job["params"]["folder"]
    assert [file.name for file in sorted(folder.glob("*/*"))] == ["a.jpg", "b.jpg"]
