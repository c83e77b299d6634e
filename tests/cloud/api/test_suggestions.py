"""Which frames to label next, over HTTP."""

from __future__ import annotations

from typing import Any

from cloud.store import jobs
from tests.cloud.api.conftest import Cloud
from tests.cloud.api.test_detectors import add_detector, add_picture, labels_path


def finish(cloud: Cloud, job_id: str, result: dict[str, Any]) -> None:
    with cloud.home.database.write() as session:
        jobs.change(session, job_id, now_s=cloud.clock.now_s(), state="done", result=result)


def test_suggestions_are_those_of_the_last_search_less_what_was_labelled_since(cloud: Cloud) -> None:
    detector_id = add_detector(cloud)
    media = [add_picture(cloud, detector_id, f"{grey}.jpg", grey) for grey in (60, 120)]
    path = f"/api/v1/detectors/{detector_id}"
    none = cloud.client.get(f"{path}/suggestions").json()
    job = cloud.client.post(f"{path}/suggest", json={"count": 2})
    assert (job.status_code, job.json()["kind"], job.json()["params"]) == (202, "suggest", {"count": 2})
    busy = cloud.client.get(f"{path}/suggestions").json()
    frames = [{"media": one, "frame": 0, "time_s": 0.0, "reason": "new", "doubt": None} for one in media]
    finish(cloud, job.json()["id"], {"version": 3, "frames": frames})
    found = cloud.client.get(f"{path}/suggestions").json()
    assert [none["job"], busy["job"], found["job"]] == [None, job.json()["id"], None]
    assert (none["made"], none["frames"], found["version"]) == (None, [], 3)
    assert [one["media"] for one in found["frames"]] == media
    cloud.client.put(labels_path(media[0]), json={"revision": 0, "boxes": [], "nothing_here": True})
    left = cloud.client.get(f"{path}/suggestions").json()
    assert [one["media"] for one in left["frames"]] == media[1:]


def test_search_in_a_medium_that_is_not_there_or_for_too_many_is_refused(cloud: Cloud) -> None:
    path = f"/api/v1/detectors/{add_detector(cloud)}/suggest"
    assert cloud.client.post(path, json={"media_id": "nix"}).status_code == 404
    assert cloud.client.post(path, json={"count": 0}).status_code == 422
