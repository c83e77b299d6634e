"""What is said in Home Assistant reaches the cloud, and back: with a real cloud, broker and agent."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.actions import bundles as bundle_actions
from cloud.actions.bundles import open_repository
from cloud.actions.open_home import open_home
from cloud.demo.stack import CameraPlan
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.settings import Settings
from edge_agent.runtime.bundle import write_bundle_zip
from edge_agent.starter.location import starter_bundle_path
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import Manifest
from edge_agent.wire.status import UpdateState
from edge_agent.wire.topics import Topics
from tests.cloud.bundle_files import note_version
from tests.cloud.homes import add_detector
from tests.system.loop import CLOCK, Ear, StarterStack, programs_below, wait_until
from tests.system.mosquitto import free_port

pytestmark = [pytest.mark.system, pytest.mark.slow]

TOPICS = Topics("porch")
PROFILE = "x86-64"
CAMERA = "yard"
# What a busy machine measures is not to decide here.
NO_GATES = dict.fromkeys(
    ("fps_ratio_min", "inference_ratio_max", "memory_ratio_max", "event_ratio_max", "event_ratio_min")
)


class WaitingStack(StarterStack):
    """Its camera waits to be asked before it installs anything."""

    def _agent_config(self, plan: CameraPlan, folder: Path) -> dict[str, object]:
        config = super()._agent_config(plan, folder)
        cloud = config["cloud"]
        assert isinstance(cloud, dict)
        return config | {"cloud": cloud | {"updates": "when_asked", "poll_s": 2}}


def publish_newer(settings: Settings, folder: Path) -> str:
    """Publish the network of the starter bundle as a detector of this home; return the bundle's id."""
    home = open_home(settings, CLOCK)
    detector_id = add_detector(home)
    note_version(home, detector_id, 1)
    with zipfile.ZipFile(starter_bundle_path()) as starter:
        starter.extractall(folder / "bundle")
    file = folder / "bundle" / "manifest.json"
    manifest = Manifest.from_json(file.read_text())
    ref = DetectorRef(id=detector_id, name="persons", version=1)
    heads = tuple(head.model_copy(update={"detector": ref}) for head in manifest.heads)
    file.write_text(manifest.model_copy(update={"heads": heads, "profile": PROFILE}).to_json())
    write_bundle_zip(folder / "bundle", folder / "bundle.zip")
    for suffix in ("json", "html"):
        (folder / f"receipt.{suffix}").write_text("{}")
    with home.database.write() as session:
        row = bundle_actions.import_bundle(session, settings, folder / "bundle.zip", now_s=CLOCK.now_s())
        repository = open_repository(settings, CLOCK)
        bundle_actions.publish(session, settings, repository, row.id)
        # Release 2: the bundle's own manifest, written before, says 1.
        bundle_actions.publish_again(session, settings, repository, row.id)
        bundle_id = row.id
    home.database.close()
    return bundle_id


class Loop:
    """Cloud, broker and a camera, and what one sees of them at home and in the cloud."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.stack = WaitingStack(settings, CLOCK)
        self.bundle_id = publish_newer(settings, folder / "made")
        self.ear = Ear(settings.broker_port)
        self.http = httpx.Client(base_url=f"{self.stack.url}/api/v1", timeout=60.0)
        self._settings, self._token = settings, folder / "token"

    def start(self) -> None:
        self.stack.start_server_side()
        self._token.write_text(self.http.post("/enrolment-tokens").json()["token"])
        clip = obtain_clip(
            find_sample_task("persons"),
            cache_dir=self._settings.cache_path / "footage",
            runner=SystemCommandRunner(),
            report=lambda _line: None,
        )
        self.stack.start_camera(CameraPlan(TOPICS.device, PROFILE, clip, self._token))
        wait_until(lambda: self.device() is not None, 90.0, self.last_words)

    def shown(self) -> UpdateState | None:
        """Return the `update` entity's state, as Home Assistant is told."""
        payload = self.ear.last(TOPICS.detector_state)
        return None if payload is None else UpdateState.model_validate_json(payload)

    def is_offered(self) -> bool:
        shown = self.shown()
        return shown is not None and shown.latest_version.startswith("persons 1")

    def is_installed(self) -> bool:
        shown = self.shown()
        return shown is not None and shown.installed_version == shown.latest_version and self.is_offered()

    def device(self) -> dict[str, Any] | None:
        """Return the device as the portal shows it; none before it joined."""
        found: list[dict[str, Any]] = self.http.get("/devices").json()
        return next((one for one in found if one["name"] == TOPICS.device), None)

    def switched(self) -> dict[str, Any]:
        """Return how the camera is switched, as the portal shows it."""
        told = ((self.device() or {}).get("reported") or {}).get("cameras") or {}
        return dict(told.get(CAMERA) or {})

    def rollout(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get("/rollouts/1").json()
        return found

    def last_words(self) -> dict[str, object]:
        logs = {name: self.stack.log_of(name).read_text()[-1500:] for name in ("agent", "cloud")}
        return {"shown": self.shown(), **logs}

    def close(self) -> None:
        self.ear.close()
        self.http.close()
        self.stack.stop()


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("loop")
    settings = Settings(home=folder / "home", port=free_port(), broker_port=free_port())
    (folder / "made").mkdir()
    loop = Loop(folder, settings)
    try:
        loop.start()
        yield loop
    finally:
        loop.close()
        assert programs_below(settings.home) == {}


def test_roll_out_waits_for_install_in_home_assistant_and_goes_on_from_there(loop: Loop) -> None:
    plan = {"name": "new eyes", "bundle_ids": [loop.bundle_id], "observe_s": 0.0, "gates": NO_GATES}
    assert loop.http.post("/rollouts", json=plan).status_code == 201
    wait_until(loop.is_offered, 60.0, loop.last_words)
    shown = loop.shown()
    assert shown is not None
    assert (shown.installed_version, shown.in_progress) == ("starter 1 (release 1)", False)
    # It looks every 2 s: by itself it would have begun meanwhile.
    CLOCK.sleep(3.0)
    assert (loop.rollout()["state"], loop.rollout()["counts"]) == ("running", {"asked": 1})
    assert loop.shown() == shown

    # What Home Assistant's `update.install` publishes; that it does, test_home_assistant.py shows.
    loop.ear.client.publish(TOPICS.detector_set, "install", qos=1)
    wait_until(loop.is_installed, 90.0, loop.last_words)
    wait_until(lambda: loop.rollout()["state"] == "done", 60.0, loop.rollout)
    assert loop.rollout()["counts"] == {"succeeded": 1}


def test_camera_switched_at_home_shows_so_in_the_portal_and_is_switched_back_there(loop: Loop) -> None:
    state = TOPICS.switch(CAMERA, "snapshots", "state")
    wait_until(lambda: loop.ear.last(state) == b"ON", 60.0, loop.last_words)
    loop.ear.client.publish(TOPICS.switch(CAMERA, "snapshots", "set"), "OFF", qos=1)
    wait_until(lambda: loop.switched().get("snapshots") is False, 60.0, loop.last_words)
    assert loop.ear.last(state) == b"OFF"

    def desired_is_taken() -> bool:
        device = loop.device() or {}
        return bool(device["reported"]["desired_version"] == device["desired"]["version"])

    wait_until(desired_is_taken, 60.0, loop.last_words)
    url = f"/devices/{TOPICS.device}/cameras/{CAMERA}"
    assert loop.http.put(url, json={"snapshots": True}).status_code == 200
    wait_until(lambda: loop.ear.last(state) == b"ON", 60.0, loop.last_words)
    wait_until(lambda: loop.switched()["snapshots"] is True, 60.0, loop.last_words)
