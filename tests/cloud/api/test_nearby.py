"""Cameras around a device: asked for by people, answered by the device, kept in memory only."""

from __future__ import annotations

import pytest

from cloud.store import devices
from edge_agent.wire.nearby import NearbyCamera, NearbyCameras
from edge_agent.wire.sync import Desired
from tests.cloud.api.conftest import Camera, Cloud
from tests.cloud.homes import DEVICE

PATH = f"/api/v1/devices/{DEVICE}/nearby"
SERVICE = "http://192.168.1.20/onvif/device_service"
SEALED = {"key": "BA==", "nonce": "AA==", "text": "AA=="}
WISH = {"name": "yard", "service": SERVICE, "login": SEALED}


@pytest.fixture
def there(cloud: Cloud, camera: Camera) -> Camera:
    """Return a device that is online."""
    desired(cloud, camera)
    with cloud.home.database.write() as session:
        devices.note_seen(session, DEVICE, now_s=cloud.clock.now_s())
    return camera


def desired(cloud: Cloud, camera: Camera) -> Desired:
    got = cloud.client.get("/api/v1/device/desired", headers=camera.headers())
    return Desired.from_json(got.content)


def tell(cloud: Cloud, camera: Camera, request_id: str, **told: object) -> int:
    answer = NearbyCameras.model_validate({"device": camera.name, "request_id": request_id, **told})
    put = cloud.client.put(
        f"/api/v1/device/nearby/{request_id}",
        content=answer.to_json(),
        headers={**camera.headers(), "Content-Type": "application/json"},
    )
    return put.status_code


def found(cloud: Cloud, camera: Camera) -> None:
    cloud.client.post(PATH)
    wanted = desired(cloud, camera).nearby_wanted
    assert wanted is not None
    one = NearbyCamera(host="192.168.1.20", service=SERVICE, name="<b>Front</b>", wants_login=True)
    assert tell(cloud, camera, wanted.request_id, cameras=[one.model_dump()], seal_key="BA==") == 204


def test_device_is_asked_and_its_answer_shown(cloud: Cloud, there: Camera) -> None:
    assert cloud.client.get(PATH).json()["found_at"] is None
    asked = cloud.client.post(PATH)
    assert (asked.status_code, asked.json()["looking"]) == (202, True)
    assert cloud.hints[-1] == (DEVICE, desired(cloud, there).version)
    found(cloud, there)
    shown = cloud.client.get(PATH).json()
    assert (shown["looking"], shown["seal_key"], shown["error"]) == (False, "BA==", None)
    assert [(one["name"], one["wants_login"]) for one in shown["cameras"]] == [("<b>Front</b>", True)]
    assert desired(cloud, there).nearby_wanted is None


def test_camera_is_added_and_what_was_found_stays_to_add_the_next(cloud: Cloud, there: Camera) -> None:
    found(cloud, there)
    assert cloud.client.post(f"{PATH}/cameras", json=WISH).json()["adding"] == "yard"
    wanted = desired(cloud, there).nearby_wanted
    assert wanted is not None
    assert wanted.add is not None
    assert wanted.add.login is not None
    assert wanted.add.login.model_dump() == SEALED
    assert tell(cloud, there, wanted.request_id, added="yard") == 204
    shown = cloud.client.get(PATH).json()
    assert (shown["added"], shown["adding"], len(shown["cameras"])) == ("yard", None, 1)
    what = [(row["what"], row["detail"]) for row in cloud.client.get("/api/v1/audit").json()]
    assert ("camera added", "yard") in what


def test_failure_is_shown_until_something_else_is_asked(cloud: Cloud, there: Camera) -> None:
    found(cloud, there)
    cloud.client.post(f"{PATH}/cameras", json=WISH)
    wanted = desired(cloud, there).nearby_wanted
    assert wanted is not None
    tell(cloud, there, wanted.request_id, error="wrong password")
    shown = cloud.client.get(PATH).json()
    assert (shown["error"], len(shown["cameras"])) == ("wrong password", 1)
    assert cloud.client.delete(f"{PATH}/cameras/yard").json()["removing"] == "yard"
    assert cloud.client.get(PATH).json()["error"] is None


@pytest.mark.usefixtures("there")
def test_sealed_password_is_in_no_view_of_the_device(cloud: Cloud) -> None:
    cloud.client.post(f"{PATH}/cameras", json=WISH)
    assert "nearby_wanted" not in cloud.client.get(f"/api/v1/devices/{DEVICE}").json()["desired"]


@pytest.mark.usefixtures("there")
def test_password_in_clear_is_refused(cloud: Cloud) -> None:
    refused = cloud.client.post(f"{PATH}/cameras", json={**WISH, "login": {"user": "a", "password": "b"}})
    assert refused.status_code == 422


@pytest.mark.usefixtures("camera")
def test_device_that_is_not_there_is_not_asked(cloud: Cloud) -> None:
    refused = cloud.client.post(PATH)
    assert (refused.status_code, "is not online" in refused.json()["detail"]) == (409, True)
    assert cloud.client.post("/api/v1/devices/nobody/nearby").status_code == 404


def test_answer_that_nobody_waits_for_or_of_another_is_refused(cloud: Cloud, there: Camera) -> None:
    cloud.client.post(PATH)
    wanted = desired(cloud, there).nearby_wanted
    assert wanted is not None
    cloud.client.post(PATH)
    assert tell(cloud, there, wanted.request_id) == 404
    other = NearbyCameras(device="other", request_id=wanted.request_id)
    put = cloud.client.put(
        f"/api/v1/device/nearby/{wanted.request_id}",
        content=other.to_json(),
        headers={**there.headers(), "Content-Type": "application/json"},
    )
    assert put.status_code == 403
    assert cloud.client.get(PATH).json()["found_at"] is None


def test_what_a_device_found_is_forgotten_with_it(cloud: Cloud, there: Camera) -> None:
    found(cloud, there)
    cloud.client.post(f"/api/v1/devices/{DEVICE}/revoke")
    assert cloud.client.get(PATH).json()["cameras"] == []
