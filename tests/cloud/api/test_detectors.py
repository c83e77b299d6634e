"""Detectors, media, labels and jobs over HTTP."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from cloud.store import detectors
from tests.cloud.api.conftest import Cloud
from tests.cloud.homes import jpeg

BOX = {"label": "person", "box": [0.1, 0.1, 0.5, 0.5]}


def add_detector(cloud: Cloud) -> str:
    return str(cloud.client.post("/api/v1/detectors", json={"name": "persons"}).json()["id"])


def add_picture(cloud: Cloud, detector_id: str, name: str = "a.jpg", grey: int = 90) -> str:
    answer = cloud.client.post(
        f"/api/v1/detectors/{detector_id}/media", files={"file": (name, jpeg(grey=grey), "image/jpeg")}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def labels_path(media_id: str, index: int = 0) -> str:
    return f"/api/v1/media/{media_id}/frames/{index}/labels"


def test_detector_goes_from_empty_to_teaching_to_training(cloud: Cloud) -> None:
    detector_id = add_detector(cloud)
    path = f"/api/v1/detectors/{detector_id}"
    states = [cloud.client.get(path).json()["state"]]
    media_id = add_picture(cloud, detector_id)
    cloud.client.put(labels_path(media_id), json={"revision": 0, "boxes": [BOX]})
    states.append(cloud.client.get(path).json()["state"])
    job = cloud.client.post(f"{path}/train", json={"budget_s": 60, "seed": 7})
    states.append(cloud.client.get(path).json()["state"])
    assert states == ["empty", "teaching", "training"]
    assert (job.status_code, job.json()["params"]) == (202, {"budget_s": 60.0, "seed": 7})
    told = cloud.client.get(f"/api/v1/jobs/{job.json()['id']}").json()
    assert told["figures"] == {"loss": 0.5}
    assert cloud.client.get("/api/v1/detectors/persons").json()["labels"] == ["person"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/detectors/nix", None, 404),
        ("DELETE", "/api/v1/detectors/nix", None, 404),
        ("POST", "/api/v1/detectors", {"name": ""}, 422),
        ("POST", "/api/v1/detectors", {"nam": "x"}, 422),
        ("GET", "/api/v1/media/nix", None, 404),
        ("GET", "/api/v1/jobs/nix", None, 404),
        ("GET", "/api/v1/bundles/nix", None, 404),
        ("GET", "/api/v1/events/nix", None, 404),
        ("GET", "/api/v1/events?limit=0", None, 422),
        ("GET", "/api/v1/corrections/nix", None, 404),
        ("POST", "/api/v1/devices/nix/assign", {"bundle_id": None}, 404),
        ("GET", "/api/v1/nix", None, 404),
        ("GET", "/tuf/metadata/%2e%2e/%2e%2e/elfowl.sqlite", None, 404),
        ("GET", "/tuf/keys/root.pem", None, 404),
    ],
)
def test_what_is_not_there_or_not_right_is_a_problem_document(
    cloud: Cloud, method: str, path: str, body: object, status: int
) -> None:
    answer = cloud.client.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert len(answer.json()["detail"].splitlines()) == 1


def test_detector_of_a_taken_name_is_a_conflict(cloud: Cloud) -> None:
    add_detector(cloud)
    assert cloud.client.post("/api/v1/detectors", json={"name": "persons"}).status_code == 409


def test_detector_deleted_leaves_no_file_behind(cloud: Cloud) -> None:
    detector_id = add_detector(cloud)
    media_id = add_picture(cloud, detector_id)
    assert len(list(cloud.home.settings.media_path.rglob(f"{media_id}*"))) == 1
    assert cloud.client.delete(f"/api/v1/detectors/{detector_id}").status_code == 204
    assert list(cloud.home.settings.media_path.rglob("*")) == []


def test_picture_comes_back_as_a_frame(cloud: Cloud) -> None:
    media_id = add_picture(cloud, add_detector(cloud))
    view = cloud.client.get(f"/api/v1/media/{media_id}").json()
    assert (view["kind"], view["width_px"], view["height_px"], view["frame_count"]) == ("image", 64, 48, 1)
    frame = cloud.client.get(f"/api/v1/media/{media_id}/frames/0.jpg")
    assert Image.open(io.BytesIO(frame.content)).size == (64, 48)
    assert cloud.client.get(f"/api/v1/media/{media_id}/frames/1.jpg").status_code == 404
    partial = cloud.client.get(f"/api/v1/media/{media_id}/playback", headers={"Range": "bytes=0-9"})
    assert (partial.status_code, len(partial.content)) == (206, 10)


@pytest.mark.parametrize("name", ["clip.avi", "a.jpg", "../../evil.jpg", "none"])
def test_file_that_is_neither_picture_nor_video_is_refused_and_not_kept(cloud: Cloud, name: str) -> None:
    detector_id = add_detector(cloud)
    answer = cloud.client.post(
        f"/api/v1/detectors/{detector_id}/media", files={"file": (name, b"not a picture")}
    )
    assert answer.status_code == 422
    assert [path for path in cloud.home.settings.media_path.rglob("*") if path.is_file()] == []


def test_form_without_a_file_says_so(cloud: Cloud) -> None:
    answer = cloud.client.post(f"/api/v1/detectors/{add_detector(cloud)}/media", data={"x": "y"})
    assert (answer.status_code, "part 'file'" in answer.json()["detail"]) == (422, True)


def test_same_file_uploaded_twice_is_one_medium(cloud: Cloud) -> None:
    detector_id = add_detector(cloud)
    assert add_picture(cloud, detector_id) == add_picture(cloud, detector_id)
    assert len(cloud.client.get(f"/api/v1/detectors/{detector_id}/media").json()) == 1


def test_labels_changed_by_two_people_conflict_for_the_slower(cloud: Cloud) -> None:
    media_id = add_picture(cloud, add_detector(cloud))
    assert cloud.client.get(labels_path(media_id)).json()["revision"] == 0
    first = cloud.client.put(labels_path(media_id), json={"revision": 0, "boxes": [BOX]})
    second = cloud.client.put(labels_path(media_id), json={"revision": 0, "boxes": [], "nothing_here": True})
    assert (first.status_code, first.json()["revision"], second.status_code) == (200, 1, 409)
    assert cloud.client.get(labels_path(media_id)).json()["boxes"] == [BOX]


@pytest.mark.parametrize(
    "body",
    [
        {"revision": 0, "boxes": [{"label": "person", "box": [0.5, 0.1, 0.1, 0.5]}]},
        {"revision": 0, "boxes": [{"label": "", "box": [0.1, 0.1, 0.5, 0.5]}]},
        {"revision": 0, "boxes": [{"label": "x", "box": [0.1, 0.1, 0.5, 1.5]}]},
        {"revision": 0, "boxes": [BOX], "nothing_here": True},
        {"revision": -1, "boxes": []},
    ],
)
def test_labels_that_make_no_sense_are_refused(cloud: Cloud, body: object) -> None:
    media_id = add_picture(cloud, add_detector(cloud))
    assert cloud.client.put(labels_path(media_id), json=body).status_code == 422


def test_tags_are_kept_by_who_does_not_speak_of_them_and_end_with_nothing_here(cloud: Cloud) -> None:
    path = labels_path(add_picture(cloud, add_detector(cloud)))
    cloud.client.put(path, json={"revision": 0, "boxes": [], "tags": ["cat", "cat"]})
    boxed = cloud.client.put(path, json={"revision": 1, "boxes": [BOX]}).json()
    assert boxed["tags"] == ["cat"]
    assert (
        cloud.client.put(path, json={"revision": 2, "boxes": [], "nothing_here": True}).json()["tags"] == []
    )
    refused = {"revision": 3, "boxes": [], "nothing_here": True, "tags": ["cat"]}
    assert cloud.client.put(path, json=refused).status_code == 422


def test_class_renamed_over_http(cloud: Cloud) -> None:
    detector_id = add_detector(cloud)
    media_id = add_picture(cloud, detector_id)
    cloud.client.put(labels_path(media_id), json={"revision": 0, "boxes": [BOX]})
    changed = cloud.client.patch(f"/api/v1/detectors/{detector_id}", json={"rename": {"person": "walker"}})
    assert changed.json()["labels"] == ["walker"]
    assert cloud.client.get(labels_path(media_id)).json()["boxes"][0]["label"] == "walker"


def coco(box: list[float]) -> str:
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box}],
    }
    return json.dumps(document)


@pytest.mark.parametrize(
    ("box", "status"), [([6.4, 4.8, 12.8, 9.6], 200), ([60, 40, 30, 30], 422), ([0, 0, 0, 0], 422)]
)
def test_coco_labels_are_checked_and_taken_in(cloud: Cloud, box: list[float], status: int) -> None:
    detector_id = add_detector(cloud)
    media_id = add_picture(cloud, detector_id)
    path = f"/api/v1/detectors/{detector_id}/labels?media={media_id}"
    answer = cloud.client.post(path, content=coco(box))
    assert answer.status_code == status, answer.text
    boxes = cloud.client.get(labels_path(media_id)).json()["boxes"]
    assert len(boxes) == (1 if status == 200 else 0)


def test_job_is_followed_to_its_end(cloud: Cloud) -> None:
    detector_id = add_detector(cloud)
    job_id = cloud.client.post(f"/api/v1/detectors/{detector_id}/train").json()["id"]
    assert cloud.client.get(f"/api/v1/jobs/{job_id}").json()["state"] == "queued"
    assert cloud.client.post(f"/api/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    events = cloud.client.get(f"/api/v1/jobs/{job_id}/events").text
    told = json.loads(events.removeprefix("data: "))
    assert (told["state"], told["progress"]) == ("cancelled", 0.0)


def test_compress_needs_a_version_and_a_known_profile(cloud: Cloud) -> None:
    detector_id = add_detector(cloud)
    path = f"/api/v1/detectors/{detector_id}/compress"
    assert cloud.client.post(path, json={"profile": "pi-4"}).status_code == 404
    with cloud.home.database.write() as session:
        detectors.add_version(session, detector_id=detector_id, version=1, metrics={"ap50": 0.9}, now_s=1.0)
    assert cloud.client.post(path, json={"profile": "toaster"}).status_code == 422
    job = cloud.client.post(path, json={"profile": "pi-4"}).json()
    assert (job["kind"], job["params"]) == (
        "compress",
        {"profile": "pi-4", "version": 1, "effort": "quick"},
    )
    assert cloud.client.get(f"/api/v1/detectors/{detector_id}/versions/1").json()["metrics"] == {"ap50": 0.9}


def test_profiles_have_titles(cloud: Cloud) -> None:
    profiles = cloud.client.get("/api/v1/profiles").json()
    assert {"name": "pi-4"}.items() <= next(p for p in profiles if p["name"] == "pi-4").items()
    assert all(profile["title"] for profile in profiles)


def test_openapi_describes_every_route_of_the_contract(cloud: Cloud) -> None:
    paths = cloud.client.get("/openapi.json").json()["paths"]
    contract = (Path(__file__).parent / "contract.txt").read_text().split("\n")
    described = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert {line for line in contract if line} <= described
