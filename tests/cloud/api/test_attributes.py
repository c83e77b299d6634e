"""Attributes over HTTP: made, sorted into, learned by a job, changed, forgotten."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from PIL import Image

from cloud.attributes.crops import CROP_PX
from cloud.store import jobs
from tests.cloud.api.conftest import Cloud
from tests.cloud.api.test_detectors import add_picture, labels_path
from tests.cloud.homes import jpeg

BOX = [0.1, 0.2, 0.5, 0.6]
NEAR = [0.101, 0.2, 0.5, 0.601]
OTHER = [0.6, 0.2, 0.9, 0.6]


def add_cans(cloud: Cloud, *boxes: list[float], label: str = "can") -> tuple[str, str]:
    """Return (path of the detector, id of a picture with these boxes)."""
    body = {"name": "cans", "labels": ["can", "person"]}
    detector_id = str(cloud.client.post("/api/v1/detectors", json=body).json()["id"])
    media_id = add_picture(cloud, detector_id)
    drawn = [{"label": label, "box": box} for box in boxes]
    cloud.client.put(labels_path(media_id), json={"revision": 0, "boxes": drawn}).raise_for_status()
    return f"/api/v1/detectors/{detector_id}", media_id


def add_kind(cloud: Cloud, path: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    body = {"name": "Kind", "labels": ["can"], "values": ["diet", "regular"], **more}
    answer = cloud.client.post(f"{path}/attributes", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def show(cloud: Cloud, path: str, media_id: str, box: list[float], value: str = "diet") -> dict[str, Any]:
    body = {"media_id": media_id, "box": box, "value": value}
    answer = cloud.client.post(f"{path}/attributes/kind/examples", json=body)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_attribute_is_listed_with_its_counts(cloud: Cloud) -> None:
    path, media_id = add_cans(cloud)
    none = cloud.client.get(f"{path}/attributes").json()
    made = add_kind(cloud, path)
    show(cloud, path, media_id, BOX)
    listed = cloud.client.get(f"{path}/attributes").json()
    assert (none["attributes"], none["least"], none["good"]) == ([], 3, 10)
    assert none["labels"] == [
        {"name": "can", "names_people": False},
        {"name": "person", "names_people": True},
    ]
    assert (made["slug"], made["quality"], made["job"], made["ready"]) == ("kind", None, None, False)
    counts = [{"name": "diet", "examples": 1}, {"name": "regular", "examples": 0}]
    assert listed["attributes"][0]["values"] == counts
    assert cloud.client.get(f"{path}/attributes/Kind").json() == listed["attributes"][0]


@pytest.mark.parametrize(
    ("body", "status", "complaint"),
    [
        ({"labels": ["dog"]}, 422, "has no label 'dog'; it has can, person"),
        ({"values": ["diet"]}, 422, "at least two values"),
        ({"values": ["diet", "diet "]}, 422, "comes twice"),
        ({"values": ["diet", ""]}, 422, "at least 1 character"),
        ({"name": " "}, 422, "needs a name"),
        ({"labels": []}, 422, "at least 1 item"),
        ({"labels": ["person"]}, 403, "telling people apart is off; allow it .* over HTTP allow_people_by"),
        ({"labels": ["person"], "allow_people_by": " "}, 403, "telling people apart is off"),
        ({"nam": "x"}, 422, "not permitted"),
        ({}, 409, "there is an attribute 'Kind' already"),
    ],
)
def test_attribute_that_cannot_be_is_refused_with_what_to_do(
    cloud: Cloud, body: dict[str, Any], status: int, complaint: str
) -> None:
    path, _ = add_cans(cloud)
    add_kind(cloud, path)
    usual = {"name": "Kind", "labels": ["can"], "values": ["diet", "regular"]}
    answer = cloud.client.post(f"{path}/attributes", json={**usual, **body})
    assert answer.status_code == status
    assert re.search(complaint, answer.json()["detail"]), answer.json()["detail"]


def test_who_allowed_that_people_are_told_apart_is_kept(cloud: Cloud) -> None:
    path, _ = add_cans(cloud)
    made = add_kind(cloud, path, labels=["person"], allow_people_by=" Ada ")
    assert made["allowed_by"] == "Ada"


def test_drawn_box_becomes_an_example_and_is_taken_back(cloud: Cloud) -> None:
    path, media_id = add_cans(cloud, BOX, OTHER)
    add_kind(cloud, path)
    before = cloud.client.get(f"{path}/attributes/kind/unsorted").json()
    shown = show(cloud, path, media_id, before["boxes"][0]["box"])
    between = cloud.client.get(f"{path}/attributes/kind/unsorted").json()
    examples = cloud.client.get(f"{path}/attributes/kind/examples").json()
    back = cloud.client.delete(f"{path}/attributes/kind/examples/{shown['id']}")
    after = cloud.client.get(f"{path}/attributes/kind/unsorted").json()
    assert (before["total"], [one["box"] for one in before["boxes"]]) == (2, [BOX, OTHER])
    assert (before["boxes"][0]["id"], before["boxes"][0]["media_name"]) == (shown["id"], "a.jpg")
    assert [one["box"] for one in between["boxes"]] == [OTHER]
    assert examples == [shown]
    assert (back.status_code, after) == (204, before)
    gone = cloud.client.delete(f"{path}/attributes/kind/examples/{shown['id']}")
    assert gone.status_code == 404


def test_drawn_box_moved_a_little_is_not_offered_again(cloud: Cloud) -> None:
    path, media_id = add_cans(cloud, BOX, OTHER)
    add_kind(cloud, path)
    show(cloud, path, media_id, NEAR)
    left = cloud.client.get(f"{path}/attributes/kind/unsorted?limit=1").json()
    assert (left["total"], [one["box"] for one in left["boxes"]]) == (1, [OTHER])


def test_only_boxes_of_its_labels_outside_the_test_are_offered(cloud: Cloud) -> None:
    path, _ = add_cans(cloud, BOX, label="person")
    files = {"file": ("t.jpg", jpeg(grey=40), "image/jpeg")}
    media_id = cloud.client.post(f"{path}/media?role=test", files=files).json()["id"]
    drawn = [{"label": "can", "box": BOX}]
    cloud.client.put(labels_path(media_id), json={"revision": 0, "boxes": drawn}).raise_for_status()
    add_kind(cloud, path)
    assert cloud.client.get(f"{path}/attributes/kind/unsorted").json() == {"total": 0, "boxes": []}


def test_example_shown_under_another_value_moves(cloud: Cloud) -> None:
    path, media_id = add_cans(cloud)
    add_kind(cloud, path)
    first, second = (show(cloud, path, media_id, BOX, value) for value in ("diet", "regular"))
    assert first["id"] == second["id"]
    assert cloud.client.get(f"{path}/attributes/kind/examples").json() == [second]


@pytest.mark.parametrize(
    ("change", "status", "complaint"),
    [
        ({"value": "cherry"}, 422, "no value 'cherry'"),
        ({"frame_index": 1}, 422, "has no frame 1"),
        ({"media_id": "nix"}, 404, "nix"),
        ({"box": [0.5, 0.2, 0.1, 0.6]}, 422, "not normalised"),
        ({"box": [0.5, 0.2, 0.5, 0.6]}, 422, "is empty"),
    ],
)
def test_example_that_cannot_be_is_refused(
    cloud: Cloud, change: dict[str, Any], status: int, complaint: str
) -> None:
    path, media_id = add_cans(cloud)
    add_kind(cloud, path)
    body = {"media_id": media_id, "frame_index": 0, "box": BOX, "value": "diet", **change}
    answer = cloud.client.post(f"{path}/attributes/kind/examples", json=body)
    assert (answer.status_code, complaint in answer.json()["detail"]) == (status, True)


def test_example_of_another_detectors_picture_is_refused(cloud: Cloud) -> None:
    path, _ = add_cans(cloud)
    add_kind(cloud, path)
    other = cloud.client.post("/api/v1/detectors", json={"name": "cups"}).json()["id"]
    body = {"media_id": add_picture(cloud, other, grey=50), "box": BOX, "value": "diet"}
    assert cloud.client.post(f"{path}/attributes/kind/examples", json=body).status_code == 422


def test_attribute_and_values_are_renamed_and_left_out(cloud: Cloud) -> None:
    path, media_id = add_cans(cloud)
    add_kind(cloud, path)
    show(cloud, path, media_id, BOX, "regular")
    body = {"name": "Sort", "rename": {"diet": "light"}, "values": ["light", "cherry", "regular"]}
    changed = cloud.client.patch(f"{path}/attributes/kind", json=body)
    assert (changed.status_code, changed.json()["slug"]) == (200, "sort")
    counts = [(one["name"], one["examples"]) for one in changed.json()["values"]]
    assert counts == [("light", 0), ("cherry", 0), ("regular", 1)]
    left = cloud.client.patch(f"{path}/attributes/sort", json={"values": ["light", "cherry"]}).json()
    assert [one["examples"] for one in left["values"]] == [0, 0]
    assert cloud.client.get(f"{path}/attributes/kind").status_code == 404
    assert cloud.client.patch(f"{path}/attributes/sort", json={"values": ["light"]}).status_code == 422
    assert cloud.client.delete(f"{path}/attributes/sort").status_code == 204
    assert cloud.client.get(f"{path}/attributes").json()["attributes"] == []
    assert cloud.client.delete(f"{path}/attributes/sort").status_code == 404


def test_attribute_follows_a_class_that_is_renamed(cloud: Cloud) -> None:
    path, _ = add_cans(cloud, BOX)
    add_kind(cloud, path)
    cloud.client.patch(path, json={"rename": {"can": "tin"}}).raise_for_status()
    assert cloud.client.get(f"{path}/attributes/kind").json()["labels"] == ["tin"]
    assert cloud.client.get(f"{path}/attributes/kind/unsorted").json()["total"] == 1


def test_learning_is_a_job_once_there_are_enough_examples(cloud: Cloud) -> None:
    path, media_id = add_cans(cloud)
    add_kind(cloud, path)
    few = cloud.client.post(f"{path}/attributes/kind/train")
    for number in range(6):
        value = "diet" if number % 2 else "regular"
        show(cloud, path, media_id, [0.1 * number, 0.1, 0.1 * number + 0.1, 0.5], value)
    job = cloud.client.post(f"{path}/attributes/Kind/train")
    view = cloud.client.get(f"{path}/attributes/kind").json()
    assert (few.status_code, "too few: diet (0), regular (0)" in few.json()["detail"]) == (422, True)
    assert (job.status_code, job.json()["kind"], job.json()["params"]) == (
        202,
        "attribute",
        {"attribute": "kind"},
    )
    assert (view["ready"], view["job"]["id"]) == (True, job.json()["id"])
    assert cloud.client.post(f"{path}/attributes/kind/train").status_code == 409
    with cloud.home.database.write() as session:
        jobs.change(session, job.json()["id"], now_s=2.0, state="failed", error="no")
    assert cloud.client.get(f"{path}/attributes").json()["attributes"][0]["job"]["state"] == "failed"


def test_crop_shows_the_box_and_a_little_around_it(cloud: Cloud) -> None:
    path, media_id = add_cans(cloud)
    add_kind(cloud, path)
    answer = cloud.client.get(show(cloud, path, media_id, BOX)["picture"])
    assert answer.headers["content-type"] == "image/jpeg"
    width_px, height_px = Image.open(io.BytesIO(answer.content)).size
    assert width_px == CROP_PX
    assert height_px == pytest.approx(CROP_PX * 48 / 64, abs=6)


@pytest.mark.parametrize("box", ["0.1,0.2", "a,b,c,d", "0.5,0.5,0.1,0.9", "0,0,1,2", "0,0,nan,1", ""])
def test_crop_of_what_is_no_box_is_refused(cloud: Cloud, box: str) -> None:
    _, media_id = add_cans(cloud)
    frame = f"/api/v1/media/{media_id}/frames"
    answer = cloud.client.get(f"{frame}/0/crop.jpg?box={box}")
    assert (answer.status_code, "four fractions" in answer.json()["detail"]) == (422, True)
    assert cloud.client.get(f"{frame}/1/crop.jpg?box=0,0,1,1").status_code == 404
