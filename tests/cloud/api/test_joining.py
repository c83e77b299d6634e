"""Joining, waiting, being accepted, arranged, revoked and removed, over HTTP."""

from __future__ import annotations

import json

import numpy as np

from cloud.api.rolling import take_step
from cloud.fleet.ticket import qr_lines, qr_modules
from cloud.ingest.batches import store_batch
from cloud.store import events
from edge_agent.errors import LinkError
from edge_agent.update.ticket import see_ticket
from edge_agent.wire.sync import EnrolTicket, MqttAccess
from tests.cloud.api.conftest import Camera, Cloud
from tests.cloud.api.test_devices import add_event
from tests.cloud.homes import DEVICE, batch, item


def make_token(cloud: Cloud, **how: object) -> str:
    return str(cloud.client.post("/api/v1/enrolment-tokens", json=how).json()["token"])


def may_fetch(cloud: Cloud, camera: Camera) -> bool:
    return cloud.client.get("/api/v1/device/desired", headers=camera.headers()).status_code == 200


def said(cloud: Cloud) -> list[str]:
    return [row["what"] for row in cloud.client.get(f"/api/v1/audit?device={DEVICE}").json()]


def test_device_waits_until_somebody_accepts_it(cloud: Cloud) -> None:
    token, camera = make_token(cloud, accepts=False, group="yard"), Camera(cloud)
    assert [camera.enrol(token) for _ in range(3)] == [202, 202, 202]
    assert not may_fetch(cloud, camera)
    (waiting,) = cloud.client.get("/api/v1/devices").json()
    assert (waiting["state"], waiting["group"]) == ("pending", "yard")
    cloud.clock.advance(2 * 86_400)
    assert cloud.client.post(f"/api/v1/devices/{DEVICE}/accept").json()["state"] == "enrolled"
    assert cloud.client.post(f"/api/v1/devices/{DEVICE}/accept").status_code == 409
    assert camera.enrol(token) == 200
    assert may_fetch(cloud, camera)
    assert camera.enrol(token) == 403
    assert said(cloud) == ["refused", "enrolled", "accepted", "waits to be accepted"]


def test_revoked_device_is_believed_no_more_and_comes_back_by_a_new_token_only(
    cloud: Cloud, camera: Camera
) -> None:
    assert may_fetch(cloud, camera)
    assert cloud.client.post(f"/api/v1/devices/{DEVICE}/revoke").json()["state"] == "revoked"
    assert not may_fetch(cloud, camera)
    assert camera.enrol(make_token(cloud)) == 200
    assert may_fetch(cloud, camera)


def test_device_is_removed_with_its_data_or_without(cloud: Cloud, camera: Camera) -> None:
    add_event(cloud)
    with cloud.home.database.write() as session:
        other = batch(item(1, 2)).model_copy(update={"device": "other"})
        store_batch(session, other, now_s=1.0)
        events.add_dead_letter(session, topic=f"elfowl/{DEVICE}/stats", payload=b"?", reason="?", now_s=1.0)
    assert cloud.client.delete(f"/api/v1/devices/{DEVICE}").status_code == 204
    assert len(cloud.client.get("/api/v1/events").json()) == 2
    assert camera.enrol(make_token(cloud)) == 200
    assert cloud.client.delete(f"/api/v1/devices/{DEVICE}?data=true").status_code == 204
    of_others = cloud.client.get("/api/v1/events").json()
    assert [event["event"]["id"] for event in of_others] == ["event-000002"]
    with cloud.home.database.read() as session:
        assert events.count(session, documents=True) == 1
        assert events.dead_letters(session) == []


def test_camera_is_put_into_a_group_and_gets_labels(cloud: Cloud, camera: Camera) -> None:
    path = f"/api/v1/devices/{camera.name}/labels"
    shown = cloud.client.put(path, json={"group": "yard", "labels": ["outdoor", " outdoor", "night"]})
    assert (shown.json()["group"], shown.json()["labels"]) == ("yard", ["night", "outdoor"])
    for wrong in ({"labels": [""]}, {"labels": ["x" * 61]}, {"group": ""}):
        assert cloud.client.put(path, json=wrong).status_code == 422
    assert cloud.client.put(path, json={}).json()["labels"] == []


def test_ticket_pins_the_root_and_a_camera_can_read_it_from_the_screen(cloud: Cloud) -> None:
    made = cloud.client.post("/api/v1/enrolment-tokens").json()
    ticket = EnrolTicket.from_json(json.dumps(made["ticket"]))
    assert (ticket.token, ticket.cloud) == (made["token"], "http://127.0.0.1:8420")
    modules = qr_modules(ticket.to_json())
    screen = np.full((480, 640, 3), 90, np.uint8)
    shown = np.kron(np.where(modules, 0, 255).astype(np.uint8), np.ones((6, 6), np.uint8))
    screen[20 : 20 + shown.shape[0], 100 : 100 + shown.shape[1]] = shown[:, :, None]
    nothing = np.zeros_like(screen)
    assert see_ticket([nothing, screen]) == ticket
    assert made["qr_svg"].count("h1v1h-1z") == modules.sum()
    assert len(qr_lines("elfowl")) * 2 >= qr_modules("elfowl").shape[0]


class FakeAccounts:
    """Implements `cloud.ingest.accounts.Accounts` in memory; `down` as when the broker is."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.taken: list[str] = []
        self.down = False

    def prepare(self) -> None:
        pass

    def give(self, device: str, access: MqttAccess) -> MqttAccess:
        self._fail()
        self.given.append(device)
        return access.model_copy(update={"username": device, "password": "own", "client_id": device})

    def take(self, device: str) -> None:
        self._fail()
        self.taken.append(device)

    def _fail(self) -> None:
        if self.down:
            message = "the MQTT broker cannot be reached"
            raise LinkError(message)


def test_device_gets_an_account_of_its_own_and_loses_it_when_revoked(cloud: Cloud) -> None:
    services, accounts = cloud.app.state.services, FakeAccounts()
    services.accounts = accounts
    token, camera = make_token(cloud), Camera(cloud)
    accounts.down = True
    assert camera.enrol(token) >= 500
    accounts.down = False
    assert camera.enrol(token) == 200
    assert accounts.given == [DEVICE]
    accounts.down = True
    assert cloud.client.post(f"/api/v1/devices/{DEVICE}/revoke").status_code == 200
    assert not may_fetch(cloud, camera)
    accounts.down = False
    take_step(services)
    take_step(services)
    assert accounts.taken == [DEVICE]
