"""What cameras do over HTTP, and what people do with them."""

from __future__ import annotations

import base64
import json

import pytest

from cloud.actions.lessons import corrected_frames
from cloud.ingest.batches import store_batch
from cloud.store import bundles
from cloud.store.tables import BundleRow
from edge_agent.wire.offload import OffloadReply
from edge_agent.wire.sync import BundleTarget, Desired, Reported
from tests.cloud.api.conftest import Camera, Cloud
from tests.cloud.homes import DEVICE, add_detector, batch, item, jpeg
from tests.fakes.events import make_event

EVENT = make_event(1)
TARGET = BundleTarget(
    path="bundles/b.zip", sha256="0" * 64, length_bytes=10, release=1,
    detector_id="d1", detector_name="persons", detector_version=1,
)  # fmt: skip


def add_bundle(cloud: Cloud, state: str = "published", profile: str = "pi-4") -> str:
    row = BundleRow(
        id=f"bun_{state}_{profile}", detector_id=add_detector(cloud.home, f"{state} {profile}"),
        detector_version=1, profile=profile, runtime="litert", path="b.zip", sha256="0" * 64,
        length_bytes=10, receipt_path="r.json", created=1.0,
    )  # fmt: skip
    with cloud.home.database.write() as session:
        bundles.add(session, row)
        if state == "published":
            bundles.note_published(session, row.id, TARGET)
    return row.id


def add_event(cloud: Cloud) -> None:
    sent = batch(item(1, 1, thumbnail=base64.b64encode(jpeg()).decode()))
    with cloud.home.database.write() as session:
        store_batch(session, sent, now_s=1.0)


def test_device_joins_once_per_token(cloud: Cloud) -> None:
    made = cloud.client.post("/api/v1/enrolment-tokens").json()
    assert made["token"] in made["command"]
    assert Camera(cloud).enrol(made["token"]) == 200
    assert Camera(cloud, "other").enrol(made["token"]) == 403
    assert [device["name"] for device in cloud.client.get("/api/v1/devices").json()] == [DEVICE]


def test_device_of_a_taken_name_is_refused_and_its_token_can_be_used_again(
    cloud: Cloud, camera: Camera
) -> None:
    token = cloud.client.post("/api/v1/enrolment-tokens").json()["token"]
    assert Camera(cloud, camera.name).enrol(token) == 409
    assert Camera(cloud, "other").enrol(token) == 200


def test_device_learns_what_is_wanted_and_hears_nothing_new_with_its_etag(
    cloud: Cloud, camera: Camera
) -> None:
    bundle_id = add_bundle(cloud)
    answer = cloud.client.post(f"/api/v1/devices/{DEVICE}/assign", json={"bundle_id": bundle_id})
    assert answer.json()["converged"] is False
    assert cloud.hints == [(DEVICE, 1)]
    assert cloud.expected == [("d1", 1)], "workers can load it before the camera asks"
    desired = cloud.client.get("/api/v1/device/desired", headers=camera.headers())
    assert Desired.from_json(desired.content).bundle == TARGET
    again = cloud.client.get(
        "/api/v1/device/desired", headers={**camera.headers(), "If-None-Match": desired.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_device_reports_what_it_runs(cloud: Cloud, camera: Camera) -> None:
    cloud.client.post(f"/api/v1/devices/{DEVICE}/assign", json={"bundle_id": add_bundle(cloud)})
    report = Reported(
        device=DEVICE, desired_version=1, agent_version="0.2.0", profile="pi-4", installed=TARGET
    )
    body = json.loads(report.to_json())
    assert cloud.client.put("/api/v1/device/reported", json=body, headers=camera.headers()).status_code == 204
    device = cloud.client.get(f"/api/v1/devices/{DEVICE}").json()
    assert (device["converged"], device["online"], device["agent_version"]) == (True, True, "0.2.0")
    foreign = body | {"device": "neighbour"}
    assert (
        cloud.client.put("/api/v1/device/reported", json=foreign, headers=camera.headers()).status_code == 403
    )


@pytest.mark.parametrize(("state", "profile"), [("made", "pi-4"), ("published", "pi-5")])
def test_bundle_that_does_not_fit_is_not_assigned(
    cloud: Cloud, camera: Camera, state: str, profile: str
) -> None:
    bundle_id = add_bundle(cloud, state, profile)
    answer = cloud.client.post(f"/api/v1/devices/{camera.name}/assign", json={"bundle_id": bundle_id})
    assert answer.status_code == 422
    assert cloud.hints == []


@pytest.mark.parametrize(
    "claims", [{"iss": "stranger"}, {"aud": "other"}, {"exp": 1.0}, {"iat": 1.0, "exp": 2.0}, {"jti": "1"}]
)
def test_device_token_that_does_not_hold_is_401(
    cloud: Cloud, camera: Camera, claims: dict[str, object]
) -> None:
    cloud.client.get("/api/v1/device/desired", headers=camera.headers(jti="1"))
    answer = cloud.client.get("/api/v1/device/desired", headers=camera.headers(**claims))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_device_removed_is_believed_no_more(cloud: Cloud, camera: Camera) -> None:
    assert cloud.client.delete(f"/api/v1/devices/{camera.name}").status_code == 204
    assert cloud.client.get("/api/v1/device/desired", headers=camera.headers()).status_code == 401


def offload(cloud: Cloud, camera: Camera, **fields: object) -> tuple[int, bytes, str | None]:
    request = {
        "request_id": "request-1", "device": DEVICE, "camera": "door", "detector_id": "d1",
        "reason": "unsure", "deadline_ms": 1000, "frame_time": 1.0, **fields,
    }  # fmt: skip
    parts: dict[str, tuple[str | None, bytes | str, str]] = {
        "request": (None, json.dumps(request), "application/json"),
        "image": ("frame.jpg", jpeg(), "image/jpeg"),
    }
    answer = cloud.client.post("/api/v1/offload", files=parts, headers=camera.headers())
    return answer.status_code, answer.content, answer.headers.get("retry-after")


def test_offload_answers_with_the_full_detector(cloud: Cloud, camera: Camera) -> None:
    status, content, _ = offload(cloud, camera)
    assert status == 200
    assert OffloadReply.from_json(content).detections[0].label == "person"
    assert cloud.offload.asked[0][1] == jpeg()


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"device": "neighbour"}, 403), ({"deadline_ms": 0}, 422), ({"reason": "why not"}, 422)],
)
def test_offload_that_makes_no_sense_is_refused(
    cloud: Cloud, camera: Camera, fields: dict[str, object], status: int
) -> None:
    assert offload(cloud, camera, **fields)[0] == status
    assert cloud.offload.asked == []


def test_offload_without_a_whole_form_is_refused_and_its_room_was_what_it_announced(
    cloud: Cloud, camera: Camera
) -> None:
    answer = cloud.client.post("/api/v1/offload", files={"image": b"jpeg"}, headers=camera.headers())
    assert (answer.status_code, answer.json()["detail"]) == (422, "the form has no part 'request'")
    assert cloud.offload.announced == [int(answer.request.headers["content-length"])]
    answer = cloud.client.post("/api/v1/offload", content=b"jpeg", headers=camera.headers())
    assert answer.status_code == 422


def test_offload_without_room_says_when_to_try_again(cloud: Cloud, camera: Camera) -> None:
    cloud.offload.is_busy = True
    status, _, retry_after = offload(cloud, camera)
    assert (status, retry_after) == (503, "2")


def test_offload_of_a_device_that_asked_too_much_says_when_to_try_again(cloud: Cloud, camera: Camera) -> None:
    cloud.offload.over_quota.add(DEVICE)
    status, content, retry_after = offload(cloud, camera)
    assert (status, retry_after) == (429, "7")
    assert json.loads(content)["detail"] == "'porch' asked more than 600 times a minute"
    assert cloud.offload.asked == []


def test_event_is_listed_with_its_picture_and_history(cloud: Cloud, camera: Camera) -> None:
    add_event(cloud)
    listed = cloud.client.get("/api/v1/events", params={"device": camera.name, "label": "person"}).json()
    assert [(row["event"]["id"], row["thumbnail"]) for row in listed] == [(EVENT.id, True)]
    assert cloud.client.get(f"/api/v1/events/{EVENT.id}/thumbnail.jpg").content == jpeg()
    assert len(cloud.client.get(f"/api/v1/events/{EVENT.id}").json()["history"]) == 1
    assert cloud.client.get("/api/v1/events", params={"before": EVENT.start_time}).json() == []


def test_wrong_event_becomes_a_lesson_once_its_key_frame_came(cloud: Cloud, camera: Camera) -> None:
    add_event(cloud)
    said = cloud.client.post("/api/v1/corrections", json={"verdict": "wrong", "event_id": EVENT.id}).json()
    correction_id = said["correction"]["id"]
    assert (said["key_frame"], said["detector_id"], cloud.hints) == (False, "d1", [(DEVICE, 1)])
    desired = cloud.client.get("/api/v1/device/desired", headers=camera.headers()).json()
    assert [wanted["request_id"] for wanted in desired["frames_wanted"]] == [correction_id]

    def send(content: bytes) -> int:
        path = f"/api/v1/device/frames/{correction_id}"
        return cloud.client.put(path, content=content, headers=camera.headers()).status_code

    assert [send(b"no picture"), send(jpeg(640, 360)), send(jpeg(640, 360))] == [422, 204, 404]
    assert cloud.client.get(f"/api/v1/corrections/{correction_id}/frame.jpg").content == jpeg(640, 360)
    assert cloud.teaching.changed == ["d1", "d1"], "live teaching hears of the word and of the picture"
    with cloud.home.database.read() as session:
        (frame,) = corrected_frames(session, cloud.home.settings.home, "d1")
    assert (frame.boxes, frame.width_px) == ((), 640)
    assert frame.trusted_xyxy_norm is not None
    assert frame.trusted_xyxy_norm[0] == pytest.approx((0.08, 0.18, 0.32, 0.42))
    view = cloud.client.get(f"/api/v1/events/{EVENT.id}").json()
    assert view["correction"]["verdict"] == "wrong"


def test_missed_object_is_learned_once_it_was_drawn_on_the_key_frame(cloud: Cloud, camera: Camera) -> None:
    body = {
        "verdict": "missed", "device": DEVICE, "camera": "front", "time": 5.0, "label": "person",
        "detector_id": "d1",
    }  # fmt: skip
    correction_id = cloud.client.post("/api/v1/corrections", json=body).json()["correction"]["id"]
    path = f"/api/v1/device/frames/{correction_id}"
    assert cloud.client.put(path, content=jpeg(), headers=camera.headers()).status_code == 204

    def lessons() -> list[tuple[str, tuple[float, ...]]]:
        with cloud.home.database.read() as session:
            frames = corrected_frames(session, cloud.home.settings.home, "d1")
        return [(box.label, box.box_xyxy_norm) for frame in frames for box in frame.boxes]

    assert lessons() == []
    drawn = cloud.client.patch(f"/api/v1/corrections/{correction_id}", json={"box": [0.2, 0.2, 0.4, 0.4]})
    assert drawn.status_code == 200
    assert lessons() == [("person", (0.2, 0.2, 0.4, 0.4))]
    heard = len(cloud.teaching.changed)
    assert cloud.client.delete(f"/api/v1/corrections/{correction_id}").status_code == 200
    assert cloud.teaching.changed[heard:] == ["d1"]
    assert lessons() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"verdict": "wrong"}, 422),
        ({"verdict": "missed", "camera": "front"}, 422),
        ({"verdict": "missed", "camera": "front", "time": 1.0}, 422),
        ({"verdict": "wrong", "event_id": "nix-nix-nix"}, 404),
        ({"verdict": "maybe", "event_id": EVENT.id}, 422),
    ],
)
def test_correction_that_does_not_say_what_it_is_about_is_refused(
    cloud: Cloud, body: dict[str, object], status: int
) -> None:
    assert cloud.client.post("/api/v1/corrections", json=body).status_code == status
    assert cloud.client.get("/api/v1/corrections").json() == []


def test_what_happens_is_told_to_open_pages(cloud: Cloud, camera: Camera) -> None:
    add_event(cloud)
    with cloud.client.websocket_connect("/api/v1/live", headers={"Host": "127.0.0.1:8420"}) as socket:
        cloud.client.post("/api/v1/corrections", json={"verdict": "right", "event_id": EVENT.id})
        news = socket.receive_json()
    assert (news["type"], news["correction"]["event_id"]) == ("correction", EVENT.id)
    assert camera.name == DEVICE
