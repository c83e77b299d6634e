"""Uploads that are cut, go on, are too large, forged, another's or forgotten."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloud.actions.uploads import KEEP_S, SPARE_BYTES, NewUpload, UploadDesk
from cloud.errors import ConflictError, TooLargeError
from cloud.settings import Settings
from cloud.store.uploads import UploadFiles
from edge_agent.errors import StorageError
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.api.people import add_person, cheapen
from tests.cloud.datasets.footage import write_video
from tests.cloud.homes import add_detector, jpeg

# Of the test client, whose own type comes from a package that is not ours to name.
Answer = Any

TUS = {"Tus-Resumable": "1.0.0"}
PART = {**TUS, "Content-Type": "application/offset+octet-stream"}
PICTURE = jpeg(640, 480)


def metadata(name: str, **more: str) -> str:
    pairs = {"filename": name, **more}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def newest(cloud: Cloud) -> str:
    return str(cloud.client.get("/api/v1/detectors").json()[-1]["id"])


def begin(cloud: Cloud, length: int = len(PICTURE), name: str = "a.jpg", **more: str) -> Answer:
    detector_id = newest(cloud)
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(name, **more)}
    return cloud.client.post(f"/api/v1/detectors/{detector_id}/uploads", headers=headers)


def send(cloud: Cloud, url: str, data: bytes, offset: int, **headers: str) -> Answer:
    return cloud.client.patch(url, content=data, headers={**PART, "Upload-Offset": str(offset), **headers})


def offset_of(cloud: Cloud, url: str) -> int:
    return int(cloud.client.head(url, headers=TUS).headers["Upload-Offset"])


def send_and_cut(cloud: Cloud, url: str, data: bytes, offset: int) -> None:
    """Send a part whose connection ends in the middle, as the server sees it."""
    headers = {**PART, "Upload-Offset": str(offset), "Host": "127.0.0.1:8420", "Content-Length": "999999"}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PATCH", "path": url,
        "raw_path": url.encode(), "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8420),
    }  # fmt: skip
    came: Iterator[dict[str, Any]] = iter(
        ({"type": "http.request", "body": data, "more_body": True}, {"type": "http.disconnect"})
    )

    async def receive() -> dict[str, Any]:
        return next(came, {"type": "http.disconnect"})

    async def to_nobody(_message: object) -> None:
        return None

    asyncio.run(cloud.app(scope, receive, to_nobody))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """Return one cloud for all tests: making one takes longer than most of them."""
    return make_cloud(tmp_path_factory.mktemp("uploads"))


@pytest.fixture
def cloud(shared: Cloud) -> Cloud:
    """Return it with a fresh detector, the newest."""
    shared.clock.advance(1.0)
    add_detector(shared.home, f"d{shared.clock.now_s()}")
    return shared


def test_upload_that_is_cut_goes_on_where_it_was_also_after_a_restart(tmp_path: Path) -> None:
    cloud = make_cloud(tmp_path)
    add_detector(cloud.home)
    url = begin(cloud).headers["Location"]
    send_and_cut(cloud, url, PICTURE[:700], 0)
    assert offset_of(cloud, url) == 700
    cloud.home.database.close()

    again = make_cloud(tmp_path)
    detector_id = again.client.get("/api/v1/detectors").json()[0]["id"]
    waiting = again.client.get(f"/api/v1/detectors/{detector_id}/uploads").json()
    assert [(one["name"], one["offset_bytes"], one["state"]) for one in waiting] == [("a.jpg", 700, "open")]
    assert send(again, url, PICTURE[700:], offset_of(again, url)).status_code == 204
    done = again.client.get(url).json()
    assert done["state"] == "done"
    stored = again.client.get(f"/api/v1/media/{done['media_id']}/playback").content
    assert hashlib.sha256(stored).digest() == hashlib.sha256(PICTURE).digest()
    assert again.client.get(f"/api/v1/detectors/{detector_id}/uploads").json() == []


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Upload-Offset": "5"}, 409, "0 bytes of a.jpg are here, not 5"),
        ({"Content-Type": "image/jpeg"}, 415, "application/offset+octet-stream"),
        ({"Tus-Resumable": "0.2.2"}, 412, "only 1.0.0"),
        ({"Upload-Checksum": "md5 abc="}, 422, "sha256"),
        ({"Upload-Checksum": f"sha1 {base64.b64encode(b'wrong').decode()}"}, 460, "came damaged"),
    ],
)
def test_part_that_does_not_fit_is_refused_and_nothing_of_it_counts(
    cloud: Cloud, headers: dict[str, str], status: int, words: str
) -> None:
    url = begin(cloud).headers["Location"]
    answer = send(cloud, url, PICTURE[:100], 0, **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]
    assert offset_of(cloud, url) == 0


def test_part_with_its_checksum_counts(cloud: Cloud) -> None:
    url = begin(cloud).headers["Location"]
    digest = base64.b64encode(hashlib.sha256(PICTURE).digest()).decode()
    assert send(cloud, url, PICTURE, 0, **{"Upload-Checksum": f"sha256 {digest}"}).status_code == 204


@pytest.mark.parametrize(
    ("length", "more", "status", "words"),
    [
        (0, {}, 422, "the file is empty"),
        (9_000_000_000, {}, 413, "larger than the limit of 8000 MB"),
        (5, {"role": "spy"}, 422, "role"),
        (5, {"modified": "yesterday"}, 422, "modified_ms"),
    ],
)
def test_upload_that_cannot_be_taken_is_refused_before_its_first_byte(
    cloud: Cloud, length: int, more: dict[str, str], status: int, words: str
) -> None:
    before = UploadFiles(cloud.home.settings.uploads_path).every()
    answer = begin(cloud, length, **more)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert UploadFiles(cloud.home.settings.uploads_path).every() == before


def test_disk_and_quota_are_looked_at_before_the_first_byte_with_what_is_promised_already(
    tmp_path: Path,
) -> None:
    cloud = make_cloud(tmp_path)
    detector_id = add_detector(cloud.home)
    settings = cloud.home.settings
    desk = UploadDesk(settings, cloud.home.database, cloud.clock, lambda _path: SPARE_BYTES + 1_000_000)
    order = NewUpload(detector_id=detector_id, name="a.mp4", length_bytes=900_000)
    desk.begin(order, None)
    with pytest.raises(StorageError, match="room for 0 MB only"):
        desk.begin(order, None)
    tight = Settings(home=tmp_path, media_quota_bytes=1_000_000)
    with pytest.raises(TooLargeError, match="1 MB of 1 MB for pictures and videos are used"):
        UploadDesk(tight, cloud.home.database, cloud.clock).begin(order, None)


def test_direct_upload_is_refused_when_the_quota_is_used(tmp_path: Path) -> None:
    cloud = make_cloud(tmp_path, Settings(home=tmp_path, media_quota_bytes=10))
    path = f"/api/v1/detectors/{add_detector(cloud.home)}/media"
    answer = cloud.client.post(path, files={"file": ("a.jpg", PICTURE)})
    assert answer.status_code == 413
    assert "raise ELFOWL_MEDIA_QUOTA_BYTES" in answer.json()["detail"]


def test_file_that_is_none_is_refused_at_its_end_and_leaves_nothing(cloud: Cloud) -> None:
    url = begin(cloud, 9).headers["Location"]
    answer = send(cloud, url, b"no camera", 0)
    assert answer.status_code == 422
    assert "a.jpg" in answer.json()["detail"]
    assert cloud.client.get(url).json()["state"] == "refused"
    folder = cloud.home.settings.media_path / newest(cloud)
    assert [file for file in folder.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("name", ["../../evil.jpg", "/etc/evil.jpg", '<svg onload="alert(1)">.jpg'])
def test_name_of_an_upload_leads_nowhere_and_is_kept_as_text(cloud: Cloud, name: str) -> None:
    url = begin(cloud, len(PICTURE), name).headers["Location"]
    send(cloud, url, PICTURE, 0)
    detector_id = newest(cloud)
    (medium,) = cloud.client.get(f"/api/v1/detectors/{detector_id}/media").json()
    assert medium["name"] == name.rpartition("/")[2]
    folder = cloud.home.settings.media_path / detector_id
    assert [file.name for file in folder.iterdir()] == [f"{medium['id']}.jpg"]


def test_file_with_other_bytes_than_were_promised_is_refused(cloud: Cloud) -> None:
    url = begin(cloud, sha256="0" * 64).headers["Location"]
    assert "other bytes came" in send(cloud, url, PICTURE, 0).json()["detail"]


def test_more_than_was_announced_is_refused(cloud: Cloud) -> None:
    url = begin(cloud, 100).headers["Location"]
    assert send(cloud, url, PICTURE, 0).status_code == 413


def test_older_connection_writes_no_more_once_a_newer_one_goes_on(cloud: Cloud) -> None:
    desk: UploadDesk = cloud.app.state.services.uploads
    upload = UploadFiles(cloud.home.settings.uploads_path).find(begin(cloud).json()["id"])
    old = desk.take_turn(upload)
    assert desk.append(upload, old, 0, PICTURE[:10]) == 10
    new = desk.take_turn(upload)
    with pytest.raises(ConflictError, match="another connection"):
        desk.append(upload, old, 10, b"stale")
    assert desk.append(upload, new, 10, PICTURE[10:20]) == 20


def test_video_that_needs_a_copy_comes_with_the_job_that_makes_it(cloud: Cloud, tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.avi", 12, codec="mpeg4").read_bytes()
    url = begin(cloud, len(video), "clip.avi").headers["Location"]
    send(cloud, url, video, 0)
    done = cloud.client.get(url).json()
    assert cloud.client.get(f"/api/v1/jobs/{done['job']}").json()["kind"] == "prepare"


def test_file_that_came_whole_before_the_server_stopped_is_taken_in_at_the_next_start(cloud: Cloud) -> None:
    made = begin(cloud).json()
    files = UploadFiles(cloud.home.settings.uploads_path)
    files.append(files.find(made["id"]), 0, PICTURE)
    desk: UploadDesk = cloud.app.state.services.uploads
    assert [(one.id, one.state) for one in desk.sweep()] == [(made["id"], "done")]


def test_server_that_stops_while_it_takes_a_file_in_has_it_at_the_next_try(cloud: Cloud) -> None:
    made = begin(cloud).json()
    home = cloud.home.settings
    files = UploadFiles(home.uploads_path)
    note = files.find(made["id"])
    files.append(note, 0, PICTURE)
    target = home.media_path / note.detector_id / "med_00aa.jpg"
    target.parent.mkdir(parents=True)
    digest = hashlib.sha256(PICTURE).hexdigest()
    files.keep(note.model_copy(update={"sha256": digest, "target": str(target.relative_to(home.home))}))
    files.path_of(note).replace(target)

    url = f"/api/v1/uploads/{made['id']}"
    assert offset_of(cloud, url) == len(PICTURE)
    assert send(cloud, url, b"", len(PICTURE)).status_code == 204
    assert cloud.client.get(url).json()["media_id"] == "med_00aa"


def test_upload_that_nobody_goes_on_with_is_forgotten(cloud: Cloud) -> None:
    url = begin(cloud).headers["Location"]
    send(cloud, url, PICTURE[:10], 0)
    cloud.clock.advance(KEEP_S)
    assert cloud.client.get(url).status_code == 404
    cloud.app.state.services.uploads.sweep()
    assert list(cloud.home.settings.uploads_path.iterdir()) == []


def test_upload_that_is_cancelled_is_forgotten_at_once(cloud: Cloud) -> None:
    url = begin(cloud).headers["Location"]
    assert cloud.client.delete(url, headers=TUS).status_code == 204
    assert cloud.client.head(url, headers=TUS).status_code == 404
    assert list(cloud.home.settings.uploads_path.iterdir()) == []


@pytest.mark.parametrize("upload", ["..", "upl_..", "upl_%2e%2e%2fmedia", "upl_", "upl_ä"])
def test_id_of_no_upload_leads_nowhere(cloud: Cloud, upload: str) -> None:
    assert cloud.client.get(f"/api/v1/uploads/{upload}").status_code == 404


def test_upload_of_another_is_not_there(tmp_path: Path) -> None:
    cloud = make_cloud(tmp_path)
    add_detector(cloud.home)
    cheapen(cloud)
    anna, bert = add_person(cloud, "anna", "owner"), add_person(cloud, "bert", "manager")
    detector_id = anna.client.get("/api/v1/detectors").json()[0]["id"]
    path = f"/api/v1/detectors/{detector_id}/uploads"
    headers = {**TUS, "Upload-Length": "9", "Upload-Metadata": metadata("a.jpg")}
    url = anna.client.post(path, headers=headers).headers["Location"]
    part = {**PART, "Upload-Offset": "0"}
    assert bert.client.get(url).status_code == 404
    assert bert.client.patch(url, content=b"123", headers=part).status_code == 404
    assert bert.client.delete(url, headers=TUS).status_code == 404
    assert bert.client.get(path).json() == []
    assert anna.client.get(url).json()["offset_bytes"] == 0


def test_what_is_spoken_is_told(cloud: Cloud) -> None:
    detector_id = newest(cloud)
    answer = cloud.client.options(f"/api/v1/detectors/{detector_id}/uploads")
    assert answer.headers["Tus-Extension"] == "creation,expiration,termination,checksum"


def test_files_for_an_import_wait_for_it_and_go_together(cloud: Cloud) -> None:
    detector_id = newest(cloud)
    path = f"/api/v1/detectors/{detector_id}/import/uploads"
    made = [begin(cloud, len(PICTURE), f"{name}.jpg", purpose="import").json()["id"] for name in "ab"]
    send(cloud, f"/api/v1/uploads/{made[0]}", PICTURE, 0)
    early = cloud.client.post(path, json={"uploads": made})
    assert early.status_code == 409
    assert "b.jpg has not come whole" in early.json()["detail"]
    send(cloud, f"/api/v1/uploads/{made[1]}", PICTURE, 0)
    job = cloud.client.post(path, json={"uploads": made}).json()
    folder = cloud.home.settings.home / job["params"]["folder"]
    assert sorted(file.name for file in folder.glob("*/*")) == ["a.jpg", "b.jpg"]
    assert cloud.client.get(f"/api/v1/detectors/{detector_id}/uploads").json() == []
