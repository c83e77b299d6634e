"""kill -9 of the cloud in the middle of two roll-outs: they go on, and nothing is sent twice."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.actions import bundles as bundle_actions
from cloud.actions.bundles import open_repository
from cloud.actions.open_home import open_home
from cloud.settings import Settings
from edge_agent.agent.simulated_device import Behaviour
from edge_agent.agent.simulation import FleetOrder, Simulation, join_fleet, make_devices
from edge_agent.clock import SystemClock
from tests.cloud.bundle_files import PROFILE, note_version, write_bundle_file
from tests.cloud.homes import add_detector
from tests.system.loop import wait_until
from tests.system.mosquitto import free_port

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

_LIMIT_S = 240.0
_CLOCK = SystemClock()


class Cloud:
    """A server on a home folder that is killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.home, self._log = folder / "home", folder / "cloud.log"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(Path(sys.executable).with_name("elfowl-cloud"))
        # A new port for the broker: the one before may need a moment to see that its cloud is gone.
        ports = ["--port", str(self._port), "--broker-port", str(free_port())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "serve", "--home", str(self.home), *ports], stdout=log, stderr=log
            )
        wait_until(lambda: self.get("/health") is not None, _LIMIT_S, self._log.read_text)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        try:
            answer = httpx.get(f"{self.url}/api/v1{path}", timeout=60.0, trust_env=False)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.is_success else None

    def begin(self, plan: dict[str, object]) -> int:
        answer = httpx.post(f"{self.url}/api/v1/rollouts", json=plan, timeout=60.0, trust_env=False)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["number"])

    def counts(self) -> dict[str, int]:
        """Return how many members of all roll-outs are in each state; nothing while it is away."""
        found: Counter[str] = Counter()
        for one in self.get("/rollouts") or ():
            found.update(one["counts"])
        return dict(found)


def publish_two(home_folder: Path, folder: Path) -> list[str]:
    """Return the ids of two published versions of one detector."""
    home = open_home(Settings(home=home_folder), _CLOCK)
    detector_id = add_detector(home)
    repository = open_repository(home.settings, home.clock)
    found = []
    for version in (1, 2):
        note_version(home, detector_id, version)
        file = write_bundle_file(folder / "made", detector_id, version)
        with home.database.write() as session:
            row = bundle_actions.import_bundle(session, home.settings, file, now_s=1.0)
            bundle_actions.publish(session, home.settings, repository, row.id)
        found.append(row.id)
    home.database.close()
    return found


@contextmanager
def living(fleet: FleetOrder) -> Iterator[list[str]]:
    """Let devices join and live; yield their names."""
    stopping, rng = threading.Event(), random.Random(1)
    with httpx.Client(timeout=60.0, trust_env=False) as http:
        devices = make_devices(fleet, join_fleet(fleet, http), http, _CLOCK, rng)
        simulation = Simulation(devices, _CLOCK, rng)
        life = threading.Thread(target=simulation.run, args=(3600.0,), kwargs={"stopping": stopping})
        life.start()
        try:
            yield [device.identity.device for device in devices]
        finally:
            stopping.set()
            life.join()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path)
    yield cloud
    cloud.kill()


def test_two_roll_outs_go_on_when_their_cloud_is_killed_and_no_device_is_asked_twice(
    cloud: Cloud, tmp_path: Path
) -> None:
    older, newer = publish_two(cloud.home, tmp_path)
    cloud.start()
    fleet = FleetOrder(cloud.url, 5, tmp_path / "sim", PROFILE, behaviour=Behaviour(poll_s=0.5))
    with living(fleet) as names:
        quick = {"shares": [1.0], "observe_s": 0.0}
        first = {"name": "older", "bundle_ids": [older], "canary_devices": names[:1], **quick}
        taken = {"devices": names[3:]}
        second = {
            "name": "newer",
            "bundle_ids": [newer],
            "canary_devices": names[3:4],
            "selector": taken,
            **quick,
        }
        assert [cloud.begin(first), cloud.begin(second)] == [1, 2]
        # Canaries are through, the others have just been asked.
        wait_until(lambda: "succeeded" in cloud.counts(), _LIMIT_S, cloud.counts)
        cloud.kill()
        cloud.start()
        wait_until(lambda: cloud.counts() == {"succeeded": 5, "skipped": 2}, _LIMIT_S, cloud.counts)
        shown = {one["name"]: one for one in cloud.get("/devices")}
    assert {one["state"] for one in cloud.get("/rollouts")} == {"done"}
    runs = {name: shown[name]["reported"]["installed"]["detector_version"] for name in names}
    assert list(runs.values()) == [1, 1, 1, 2, 2]
    assert {name: shown[name]["desired"]["version"] for name in names} == dict.fromkeys(names, 1)
    outcomes = {name: len(shown[name]["reported"]["outcomes"]) for name in names}
    assert outcomes == dict.fromkeys(names, 1)
    told = Counter(line["what"] for line in cloud.get("/audit"))
    assert (told["roll-out begun"], told["roll-out done"]) == (2, 2)
