"""Videos that come over the web: prepared in a job, and only then drawn on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloud.actions.imports import ImportStoppedError
from cloud.errors import InputError
from cloud.worker.incoming import prepare, take_in
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.datasets.footage import write_video
from tests.cloud.homes import add_detector, jpeg


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return make_cloud(tmp_path / "home")


def upload(cloud: Cloud, path: Path) -> dict[str, Any]:
    """Send a file to a fresh detector and return the medium."""
    detector_id = add_detector(cloud.home)
    sent = {"file": (path.name, path.read_bytes())}
    answer = cloud.client.post(f"/api/v1/detectors/{detector_id}/media", files=sent)
    assert answer.status_code == 201, answer.text
    medium: dict[str, Any] = answer.json()
    return medium


def test_video_that_needs_a_copy_is_served_as_its_copy_once_that_is_made(
    cloud: Cloud, tmp_path: Path
) -> None:
    medium = upload(cloud, write_video(tmp_path / "clip.avi", 20, codec="mpeg4"))
    path = f"/api/v1/media/{medium['id']}"
    assert (medium["state"], medium["frame_count"]) == ("preparing", 0)
    assert cloud.client.get(f"/api/v1/jobs/{medium['job']}").json()["kind"] == "prepare"
    assert cloud.client.get(f"{path}/frames/0.jpg").status_code == 409
    shares: list[float] = []
    done = prepare(cloud.home, medium["id"], progress=lambda now: shares.append(now.fraction))
    assert done == {"media": medium["id"], "frames": 20}
    assert shares[-1] == 1.0
    ready = cloud.client.get(path).json()
    assert (ready["state"], ready["frame_count"], ready["fps"]) == ("ready", 20, 10.0)
    played = cloud.client.get(f"{path}/playback", headers={"Range": "bytes=4-7"})
    assert (played.status_code, played.content) == (206, b"ftyp")
    assert cloud.client.get(f"{path}/frames/19.jpg").status_code == 200
    assert prepare(cloud.home, medium["id"]) == done


def test_video_that_can_be_played_is_ready_at_once(cloud: Cloud, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", 10, gop=5, b_frames=0)
    medium = upload(cloud, with_index_at_front(clip))
    assert (medium["state"], medium["frame_count"], medium["job"]) == ("ready", 10, None)


def with_index_at_front(clip: Path) -> Path:
    from cloud.datasets.playback import make_playback

    make_playback(clip, clip.with_name("front.mp4"))
    return clip.with_name("front.mp4")


def test_video_that_breaks_off_says_so_from_then_on(cloud: Cloud, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.avi", 20, codec="mpeg4")
    medium = upload(cloud, clip)
    for stored in cloud.home.settings.media_path.rglob("*.avi"):
        stored.write_bytes(b"the disk lost it")
    with pytest.raises(InputError):
        prepare(cloud.home, medium["id"])
    broken = cloud.client.get(f"/api/v1/media/{medium['id']}").json()
    assert (broken["state"], bool(broken["reason"])) == ("broken", True)
    assert cloud.client.get(f"/api/v1/media/{medium['id']}/frames/0.jpg").status_code == 422


def test_preparing_can_be_cancelled_and_leaves_no_copy(cloud: Cloud, tmp_path: Path) -> None:
    medium = upload(cloud, write_video(tmp_path / "clip.avi", 20, codec="mpeg4"))
    with pytest.raises(ImportStoppedError):
        prepare(cloud.home, medium["id"], cancelled=lambda: True)
    assert len([path for path in cloud.home.settings.media_path.rglob("*") if path.is_file()]) == 1


def test_files_sent_together_are_taken_in_by_a_job_and_come_out_again(cloud: Cloud) -> None:
    detector_id = add_detector(cloud.home)
    sent = [
        ("file", ("a.jpg", jpeg())),
        ("file", ("a.txt", b"0 0.5 0.5 0.5 0.5\n")),
        ("file", ("classes.txt", b"walker\n")),
        ("file", ("run.exe", b"x")),
    ]
    job = cloud.client.post(f"/api/v1/detectors/{detector_id}/import", files=sent).json()
    assert job["kind"] == "import"
    report = take_in(cloud.home, {"detector_id": detector_id, **job["params"]})
    assert (report["media"], report["boxes"]) == (1, 1)
    assert [one["file"] for one in report["refused"]] == ["run.exe"]
    assert not (cloud.home.settings.home / job["params"]["folder"]).exists()
    exported = cloud.client.get(f"/api/v1/detectors/{detector_id}/export?format=coco")
    assert exported.json()["images"][0]["file_name"] == "a.jpg"
    assert list((cloud.home.settings.cache_path / "exports").iterdir()) == []
