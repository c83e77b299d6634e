"""What the demo teaches with, and how it goes on after an interruption, on the real routes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from cloud.client import CloudClient
from cloud.demo.patience import PatientCloud
from cloud.demo.teach import a_few_of, find_student, put_labels, read_lessons
from cloud.samples.catalog import SAMPLE_TASKS, SampleTask
from cloud.store import detectors, jobs
from tests.cloud.api.conftest import Cloud, make_cloud
from tests.cloud.homes import add_detector, jpeg


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return make_cloud(tmp_path)


@pytest.fixture
def api(cloud: Cloud) -> PatientCloud:
    def forward(request: httpx.Request) -> httpx.Response:
        answer = cloud.client.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, content=answer.content)

    client = CloudClient("http://127.0.0.1:8420", transport=httpx.MockTransport(forward))
    return PatientCloud(client, cloud.clock)


@pytest.mark.parametrize("task", SAMPLE_TASKS, ids=lambda task: task.name)
def test_lessons_share_no_frame_and_have_boxes(task: SampleTask) -> None:
    lessons = read_lessons(task)
    frames = [
        {image.frame_index for image in part} for part in (lessons.teach, lessons.correct, lessons.test)
    ]
    assert None not in set().union(*frames)
    assert sum(len(part) for part in frames) == len(set().union(*frames))
    assert any(image.boxes for image in lessons.teach)
    assert any(image.boxes for image in lessons.test)


@pytest.mark.parametrize(
    ("there", "count", "chosen"), [(14, 3, [0, 5, 10]), (9, 3, [0, 3, 6]), (2, 3, [0, 1])]
)
def test_a_few_frames_are_spread_over_all_of_them(there: int, count: int, chosen: list[int]) -> None:
    images = read_lessons(SAMPLE_TASKS[0]).teach[:there]
    assert a_few_of(images, count) == tuple(images[number] for number in chosen)


def test_student_of_an_earlier_run_is_found_with_the_medium_to_draw_on(
    cloud: Cloud, api: PatientCloud, tmp_path: Path
) -> None:
    detector_id = add_detector(cloud.home, "persons")
    picture = tmp_path / "a.jpg"
    picture.write_bytes(jpeg())
    api.upload(f"/detectors/{detector_id}/media?role=test", picture)
    picture.write_bytes(jpeg(grey=90))
    teach = api.upload(f"/detectors/{detector_id}/media", picture)["id"]
    with cloud.home.database.write() as session:
        detectors.add_version(session, detector_id=detector_id, version=1, metrics={}, now_s=1.0)
        running = jobs.add(session, kind="train", detector_id=detector_id, params={}, now_s=1.0).id

    found = find_student(api, "persons")

    assert found is not None
    assert (found[0].detector_id, found[0].media_id) == (detector_id, teach)
    assert api.get(f"/jobs/{running}")["state"] == "cancelled"


def test_detector_that_an_interrupted_run_left_untrained_makes_room_for_a_new_one(
    cloud: Cloud, api: PatientCloud
) -> None:
    half_done = add_detector(cloud.home, "persons")
    other = add_detector(cloud.home, "biscuits")
    with cloud.home.database.write() as session:
        running = jobs.add(session, kind="train", detector_id=half_done, params={}, now_s=1.0).id

    assert find_student(api, "persons") is None

    assert [detector["id"] for detector in api.get("/detectors")] == [other]
    assert api.get(f"/jobs/{running}")["state"] == "cancelled"
    assert api.post("/detectors", {"name": "persons"})["name"] == "persons"


def test_labels_are_replaced_as_often_as_they_are_put(
    cloud: Cloud, api: PatientCloud, tmp_path: Path
) -> None:
    image = next(one for one in read_lessons(SAMPLE_TASKS[0]).teach if one.boxes)
    detector_id = add_detector(cloud.home)
    (tmp_path / "a.jpg").write_bytes(jpeg())
    media_id = api.upload(f"/detectors/{detector_id}/media", tmp_path / "a.jpg")["id"]
    first = replace(image, frame_index=0)

    put_labels(api, media_id, [first])
    put_labels(api, media_id, [first])

    assert len(api.get(f"/media/{media_id}/frames/0/labels")["boxes"]) == len(image.boxes)
