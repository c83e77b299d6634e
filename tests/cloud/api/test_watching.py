"""What a version sees in a video: a job looks, pages read what is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloud.actions.watching import watched_path
from cloud.store import detectors, jobs, media
from cloud.watch.kept import Facts, Frames, Keeper, Seen
from edge_agent.wire.detection import Detection
from tests.cloud.api.conftest import Cloud
from tests.cloud.datasets.footage import write_video
from tests.cloud.homes import add_detector, jpeg

COUNT = 20
PERSON = Detection(label="person", score=0.75, box=(0.1, 0.2, 0.3, 0.4))


@pytest.fixture
def detector_id(cloud: Cloud) -> str:
    found = add_detector(cloud.home)
    with cloud.home.database.write() as session:
        detectors.add_version(session, detector_id=found, version=1, metrics={}, now_s=1.0)
    return found


@pytest.fixture
def video(cloud: Cloud, detector_id: str, tmp_path: Path) -> str:
    path = write_video(tmp_path / "clip.mp4", COUNT, gop=5, b_frames=0)
    sent = {"file": ("clip.mp4", path.read_bytes())}
    medium: dict[str, Any] = cloud.client.post(f"/api/v1/detectors/{detector_id}/media", files=sent).json()
    with cloud.home.database.write() as session:
        row = media.find(session, medium["id"])
        row.state, row.frame_count, row.fps = "ready", COUNT, 10.0
    return str(medium["id"])


def keep(cloud: Cloud, media_id: str, until: int, frames: Frames = "motion") -> None:
    with cloud.home.database.read() as session:
        folder = watched_path(cloud.home.settings, media.find(session, media_id), 1, frames)
    with Keeper(folder, Facts(labels=("person",), frame_count=COUNT)) as keeper:
        keeper.add([Seen(2, (PERSON,)), Seen(5, ()), Seen(9, (PERSON,))], until)


def test_watching_is_one_job_until_it_is_done(cloud: Cloud, detector_id: str, video: str) -> None:
    path = f"/api/v1/detectors/{detector_id}/watch"
    first = cloud.client.post(path, json={"media_id": video})
    again = cloud.client.post(path, json={"media_id": video, "version": 1})

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["job"]["kind"] == "watch"
    assert again.json()["job"]["id"] == first.json()["job"]["id"]
    assert (first.json()["until"], first.json()["frames"]) == (0, None)

    cloud.client.post(f"/api/v1/jobs/{first.json()['job']['id']}/cancel")
    keep(cloud, video, COUNT)
    assert cloud.client.post(path, json={"media_id": video}).json()["job"] is None
    with cloud.home.database.read() as session:
        assert len([job for job in jobs.of_detector(session, detector_id) if job.kind == "watch"]) == 1


def test_what_was_seen_is_read_in_parts_while_it_grows(cloud: Cloud, detector_id: str, video: str) -> None:
    keep(cloud, video, 12)
    path = f"/api/v1/detectors/{detector_id}/watch/{video}"

    part = cloud.client.get(path, params={"count": 6}).json()
    rest = cloud.client.get(path, params={"first": part["next"]}).json()

    assert (part["until"], part["next"], part["frames"]) == (12, 6, "motion")
    assert [(one["frame"], len(one["seen"])) for one in part["looked"]] == [(2, 1), (5, 0)]
    assert part["looked"][0]["seen"][0] == {
        "label": "person",
        "score": 0.75,
        "box": pytest.approx(PERSON.box, abs=1e-4),
    }
    assert ([one["frame"] for one in rest["looked"]], rest["next"]) == ([9], None)


@pytest.mark.parametrize(("until", "shown_frames"), [(10, "motion"), (COUNT, "every")])
def test_every_frame_counts_more_than_those_with_motion_once_it_is_as_far(
    cloud: Cloud, detector_id: str, video: str, until: int, shown_frames: Frames
) -> None:
    keep(cloud, video, COUNT)
    keep(cloud, video, until, "every")

    shown = cloud.client.get(f"/api/v1/detectors/{detector_id}/watch/{video}").json()

    assert (shown["frames"], shown["until"]) == (shown_frames, COUNT)


@pytest.mark.parametrize(
    ("media_id", "version", "status"), [("med_none", 1, 404), ("video", 7, 404), ("picture", 1, 422)]
)
def test_what_cannot_be_watched_is_refused(
    cloud: Cloud, detector_id: str, video: str, media_id: str, version: int, status: int
) -> None:
    sent = {"file": ("a.jpg", jpeg())}
    picture = cloud.client.post(f"/api/v1/detectors/{detector_id}/media", files=sent).json()["id"]
    asked = {"video": video, "picture": picture}.get(media_id, media_id)

    body = {"media_id": asked, "version": version}
    answer = cloud.client.post(f"/api/v1/detectors/{detector_id}/watch", json=body)

    assert answer.status_code == status
    assert answer.json()["detail"]


def test_video_of_another_detector_is_not_found(cloud: Cloud, video: str) -> None:
    other = add_detector(cloud.home, "others")
    assert cloud.client.get(f"/api/v1/detectors/{other}/watch/{video}").status_code == 404
