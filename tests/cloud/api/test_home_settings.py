"""Settings that people switch at home and in the portal: both see them, and the last word counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloud.fleet.desired import first_desired, follow_home
from edge_agent.agent.settings import SettingsStore
from edge_agent.config import CameraConfig
from edge_agent.wire.rules import CameraRules
from edge_agent.wire.sync import CameraSettings, Desired, Reported
from tests.cloud.api.conftest import Camera, Cloud


class House:
    """A device with its real settings, which a switch in Home Assistant changes."""

    def __init__(self, cloud: Cloud, camera: Camera, file: Path) -> None:
        self._cloud, self._camera = cloud, camera
        self.settings = SettingsStore(file, (CameraConfig(name="front", source="a", threshold=0.4),))

    def sync(self) -> Desired:
        """Fetch, obey and report, as the agent does."""
        headers = self._camera.headers()
        answer = self._cloud.client.get("/api/v1/device/desired", headers=headers)
        desired = Desired.from_json(answer.content)
        self.settings.take_desired(desired.cameras)
        body = json.loads(self._report(desired.version).to_json())
        headers = self._camera.headers()
        assert self._cloud.client.put("/api/v1/device/reported", json=body, headers=headers).is_success
        return desired

    def _report(self, version: int) -> Reported:
        return Reported(
            device=self._camera.name,
            desired_version=version,
            agent_version="0.1.0",
            profile="pi-4",
            cameras=self.settings.all(),
        )

    def portal(self, **named: object) -> None:
        url = f"/api/v1/devices/{self._camera.name}/cameras/front"
        assert self._cloud.client.put(url, json=named).is_success

    def shown(self) -> dict[str, Any]:
        view = self._cloud.client.get(f"/api/v1/devices/{self._camera.name}").json()
        found: dict[str, Any] = view["reported"]["cameras"]["front"]
        return found


@pytest.fixture
def house(cloud: Cloud, camera: Camera, tmp_path: Path) -> House:
    return House(cloud, camera, tmp_path / "settings.json")


def test_switch_at_home_shows_in_the_portal_and_can_be_taken_back_there(cloud: Cloud, house: House) -> None:
    house.sync()
    house.settings.change("front", detect=False)
    house.sync()
    assert house.shown()["detect"] is False
    assert cloud.hints[-1:] == [("porch", 1)], "the device hears that its own word is taken over"
    house.portal(threshold=0.7)
    house.sync()
    assert house.settings.get("front").detect is False, "what the portal did not name is left alone"
    house.portal(detect=True)
    house.sync()
    assert (house.settings.get("front").detect, house.settings.get("front").threshold) == (True, 0.7)
    house.settings.change("front", threshold=0.9)
    house.sync()
    house.sync()
    house.portal(threshold=0.7)
    house.sync()
    assert house.shown()["threshold"] == 0.7


def test_house_that_nobody_touches_comes_to_rest(house: House) -> None:
    house.settings.change("front", offload=False, snapshots=False)
    versions = [house.sync().version for _ in range(4)]
    assert versions == [0, 1, 1, 1]
    assert house.shown()["snapshots"] is False


SWITCHED = {"front": CameraSettings(detect=False, threshold=0.4, rules=CameraRules(look_every_s=2.0))}


@pytest.mark.parametrize(
    ("wanted", "taken", "expected"),
    [
        ({}, 3, {"front": CameraSettings(detect=False)}),
        ({}, 2, {}),
        ({"front": CameraSettings(threshold=0.8)}, 3, {"front": CameraSettings(detect=False, threshold=0.4)}),
        ({"front": CameraSettings(detect=False)}, 3, {"front": CameraSettings(detect=False)}),
    ],
    ids=["switched", "said before the newest wish", "threshold wanted once", "same"],
)
def test_wishes_follow_only_what_was_switched_since(
    wanted: dict[str, CameraSettings], taken: int, expected: dict[str, CameraSettings]
) -> None:
    current = first_desired("porch").model_copy(update={"version": 3, "cameras": wanted})
    said = Reported(
        device="porch", desired_version=taken, agent_version="0", profile="pi-4", cameras=SWITCHED
    )
    followed = follow_home(current, said)
    assert followed.cameras == expected
    assert followed.version == 3 + (expected != wanted)
