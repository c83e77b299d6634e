"""Routes of live teaching."""

from __future__ import annotations

import json

from tests.cloud.api.conftest import Cloud
from tests.cloud.homes import add_detector, jpeg

API = "/api/v1"


def upload(cloud: Cloud, detector_id: str) -> str:
    answer = cloud.client.post(f"{API}/detectors/{detector_id}/media", files={"file": ("a.jpg", jpeg())})
    return str(answer.json()["id"])


def test_teaching_begins_is_shown_followed_and_cancelled(cloud: Cloud) -> None:
    path = f"{API}/detectors/{add_detector(cloud.home)}/teaching"
    assert cloud.client.get(path).status_code == 404
    assert cloud.client.post(f"{path}/cancel").status_code == 404

    begun = cloud.client.post(path)
    assert (begun.status_code, begun.json()["stage"], begun.json()["version"]) == (202, "starting", "live")
    assert cloud.client.get(path).json()["stage"] == "starting"
    events = cloud.client.get(f"{path}/events").text
    told = [json.loads(line.removeprefix("data: ")) for line in events.splitlines() if "data: " in line]
    assert [state["stage"] for state in told] == ["starting"]
    assert cloud.client.post(f"{path}/cancel").json()["stage"] == "cancelled"


def test_worker_gets_ready_before_anything_is_labelled_and_teaches_nothing(cloud: Cloud) -> None:
    path = f"{API}/detectors/{add_detector(cloud.home)}/teaching"

    assert cloud.client.post(f"{path}/ready").status_code == 204
    assert cloud.teaching.is_ready
    assert cloud.teaching.states == {}
    assert cloud.client.post(f"{API}/detectors/nix/teaching/ready").status_code == 404


def test_saved_labels_reach_the_live_detector_and_refused_ones_do_not(cloud: Cloud) -> None:
    detector_id = add_detector(cloud.home)
    media_id = upload(cloud, detector_id)
    path = f"{API}/media/{media_id}/frames/0/labels"
    said = {"revision": 0, "boxes": [{"label": "person", "box": [0.1, 0.1, 0.5, 0.5]}]}
    assert cloud.client.put(path, json=said).status_code == 200
    assert cloud.client.put(path, json=said).status_code == 409
    assert cloud.teaching.changed == [detector_id]

    renamed = cloud.client.patch(f"{API}/detectors/{detector_id}", json={"rename": {"person": "guest"}})
    assert renamed.status_code == 200
    assert cloud.teaching.changed == [detector_id, detector_id]


def test_live_detector_is_shown_the_frame_and_deleted_one_is_forgotten(cloud: Cloud) -> None:
    detector_id = add_detector(cloud.home)
    media_id = upload(cloud, detector_id)
    live = f"{API}/media/{media_id}/frames/0/live"
    assert cloud.client.get(live).status_code == 404
    cloud.client.post(f"{API}/detectors/{detector_id}/teaching")

    answer = cloud.client.get(live).json()
    assert [one["label"] for one in answer["detections"]] == ["person"]
    assert cloud.teaching.asked[0].startswith(b"\xff\xd8")
    assert cloud.client.get(f"{API}/media/{media_id}/frames/1/live").status_code == 404
    assert cloud.client.delete(f"{API}/detectors/{detector_id}").status_code == 204
    assert cloud.teaching.states == {}
