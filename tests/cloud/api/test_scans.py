"""Scans are asked for by names: of videos of the cloud, and of files in the folder of recordings."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from cloud.actions.scans import recordings_path
from cloud.store import detectors, jobs, media, scans
from cloud.store.scan_tables import RecordingRow
from tests.cloud.api.conftest import Cloud
from tests.cloud.datasets.footage import write_video
from tests.cloud.homes import add_detector

BEGAN = 1_700_000_000.0


@pytest.fixture
def detector_id(cloud: Cloud) -> str:
    found = add_detector(cloud.home)
    with cloud.home.database.write() as session:
        detectors.add_version(session, detector_id=found, version=1, metrics={}, now_s=1.0)
    return found


@pytest.fixture
def folder(cloud: Cloud) -> str:
    """Put a video into a folder of recordings, and return that folder's name."""
    path = recordings_path(cloud.home.settings) / "gate"
    path.mkdir(parents=True)
    write_video(path / "monday.mp4", 20, gop=5, b_frames=0)
    return "gate"


def ask(cloud: Cloud, **body: Any) -> Any:  # noqa: ANN401 - an answer
    return cloud.client.post("/api/v1/scans", json=body)


def test_scan_of_a_folder_is_one_job_with_the_version_in_use(
    cloud: Cloud, detector_id: str, folder: str
) -> None:
    answer = ask(cloud, detectors=["persons", "starter"], files=[folder], began=BEGAN)
    again = ask(cloud, detectors=["persons"], files=[f"{folder}/monday.mp4", folder])

    assert (answer.status_code, again.status_code) == (202, 202)
    assert (answer.json()["kind"], answer.json()["detector_id"]) == ("scan", detector_id)
    with cloud.home.database.read() as session:
        first, second = (jobs.find(session, one.json()["id"]).params for one in (answer, again))
    assert first["detectors"] == [f"{detector_id}@1", "starter"]
    assert first["recordings"] == second["recordings"]
    assert len(first["recordings"]) == 1


def test_video_of_the_cloud_is_scanned_as_it_is_played(cloud: Cloud, detector_id: str, folder: str) -> None:
    video = (recordings_path(cloud.home.settings) / folder / "monday.mp4").read_bytes()
    sent = {"file": ("clip.mp4", video)}
    medium = cloud.client.post(f"/api/v1/detectors/{detector_id}/media", files=sent).json()["id"]
    with cloud.home.database.write() as session:
        row = media.find(session, medium)
        row.state, row.frame_count, row.fps = "ready", 20, 10.0

    assert ask(cloud, detectors=["persons"], media=[medium]).status_code == 202
    with cloud.home.database.read() as session:
        assert session.scalars(select(RecordingRow.media_id)).all() == [medium]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"detectors": ["persons"]}, 422),
        ({"detectors": ["persons"], "files": ["../elfowl.sqlite"]}, 422),
        ({"detectors": ["persons"], "files": ["tuesday.mp4"]}, 404),
        ({"detectors": ["nobody"], "files": ["gate"]}, 404),
        ({"detectors": ["persons"], "media": ["med_none"]}, 404),
    ],
)
@pytest.mark.usefixtures("detector_id", "folder")
def test_scan_of_what_is_not_there_is_refused_with_reasons(
    cloud: Cloud, body: dict[str, Any], status: int
) -> None:
    answer = cloud.client.post("/api/v1/scans", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_list_of_scans_says_who_looked_through_what(cloud: Cloud, detector_id: str, folder: str) -> None:
    ask(cloud, detectors=["persons"], files=[folder], began=BEGAN)
    with cloud.home.database.write() as session:
        recording = session.scalars(select(RecordingRow)).one()
        row = scans.scan_of(session, recording.id, (detector_id, 1, "persons"), now_s=1.0)
        row.until, row.glanced = 1.5, True

    (shown,) = cloud.client.get("/api/v1/scans").json()
    assert (shown["name"], shown["detector_name"], shown["version"]) == ("monday.mp4", "persons", 1)
    assert (shown["until_s"], shown["duration_s"], shown["done"]) == (1.5, 2.0, False)
    assert (shown["began"], shown["fps"], shown["media"]) == (BEGAN, 10.0, None)
