"""Simulated devices, with the agent's own parts, join the real server and follow a roll-out over HTTP."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import httpx
import pytest

from cloud.actions import bundles as bundle_actions
from cloud.api.rolling import take_step
from edge_agent.agent.simulated_device import Behaviour, SimulatedDevice
from edge_agent.agent.simulation import FleetOrder, Simulation, Tally, join_fleet, make_devices
from edge_agent.clock import SystemClock
from tests.cloud.api.conftest import Cloud
from tests.cloud.bundle_files import PROFILE, note_version, write_bundle_file
from tests.cloud.homes import add_detector


def order(folder: Path, **behaviour: object) -> FleetOrder:
    return FleetOrder(
        "http://127.0.0.1:8420",
        3,
        folder / "sim",
        PROFILE,
        behaviour=Behaviour(**behaviour),  # type: ignore[arg-type]
    )


def join(cloud: Cloud, folder: Path, **behaviour: object) -> list[SimulatedDevice]:
    fleet = order(folder, **behaviour)
    http = cast("httpx.Client", cloud.client)  # it is one in all that devices need
    identities = join_fleet(fleet, http)
    return make_devices(fleet, identities, http, cloud.clock, random.Random(1))


def publish(cloud: Cloud, folder: Path) -> str:
    detector_id = add_detector(cloud.home)
    note_version(cloud.home, detector_id, 1)
    file = write_bundle_file(folder / "made", detector_id, 1)
    services = cloud.app.state.services
    with cloud.home.database.write() as session:
        row = bundle_actions.import_bundle(session, cloud.home.settings, file, now_s=1.0)
        bundle_actions.publish(session, cloud.home.settings, services.repository, row.id)
    return row.id


def play(cloud: Cloud, devices: list[SimulatedDevice]) -> dict[str, object]:
    """Let time go by until the roll-out ends."""
    for _ in range(20):
        cloud.clock.advance(60.0)
        take_step(cloud.app.state.services)
        for device in devices:
            device.step()
        (one,) = cloud.client.get("/api/v1/rollouts").json()
        if one["state"] not in {"running", "paused"}:
            return dict(one)
    raise AssertionError(one)


def test_simulated_fleet_joins_once_and_follows_a_roll_out(cloud: Cloud, tmp_path: Path) -> None:
    devices = join(cloud, tmp_path)
    assert [device.identity.device for device in join(cloud, tmp_path)] == [
        "sim-00000", "sim-00001", "sim-00002",
    ]  # fmt: skip
    plan = {"name": "first", "bundle_ids": [publish(cloud, tmp_path)], "observe_s": 60.0}
    assert cloud.client.post("/api/v1/rollouts", json=plan).status_code == 201
    ended = play(cloud, devices)
    assert (ended["state"], ended["counts"]) == ("done", {"succeeded": 3})
    assert {device["converged"] for device in cloud.client.get("/api/v1/devices").json()} == {True}


def test_fleet_that_refuses_stops_the_roll_out_at_its_canary(cloud: Cloud, tmp_path: Path) -> None:
    devices = join(cloud, tmp_path, refuses=True)
    plan = {"name": "bad", "bundle_ids": [publish(cloud, tmp_path)], "observe_s": 60.0}
    cloud.client.post("/api/v1/rollouts", json=plan)
    ended = play(cloud, devices)
    assert (ended["state"], ended["counts"]) == ("halted", {"failed": 1, "waiting": 2})
    shown = cloud.client.get("/api/v1/rollouts/1").json()["members"]
    assert "refuses every bundle" in json.dumps(shown)


class CountingDevice:
    """Stands in for a device: notes when it looks."""

    behaviour = Behaviour(poll_s=0.05)
    reachable = True

    def __init__(self) -> None:
        self.looks = 0

    def step(self) -> float:
        self.looks += 1
        return 0.05


def test_simulation_lets_every_device_look_again_and_again_until_stopped() -> None:
    devices = [CountingDevice() for _ in range(5)]
    simulation = Simulation(devices, SystemClock(), random.Random(1))  # type: ignore[arg-type]
    simulation.run(0.4, threads=2)
    assert all(device.looks >= 2 for device in devices)
    stopping = threading.Event()
    stopping.set()
    before = [device.looks for device in devices]
    simulation.run(60.0, stopping=stopping)
    assert [device.looks for device in devices] == before


class SleepyDevice:
    """Stands in for a device that looks once an hour: ends the simulation when it looked often enough."""

    behaviour = Behaviour(poll_s=3600.0)
    reachable = True

    def __init__(self, enough: int, stopping: threading.Event) -> None:
        self.looks, self._enough, self._stopping = 0, enough, stopping
        self.while_looking: Callable[[], None] = lambda: None

    def step(self) -> float:
        self.looks += 1
        self.while_looking()
        if self.looks == self._enough:
            self._stopping.set()
        return 3600.0


def test_device_that_is_woken_looks_at_once_and_again_when_that_came_while_it_looked() -> None:
    stopping = threading.Event()
    devices = [SleepyDevice(2, stopping) for _ in range(3)]
    simulation = Simulation(devices, SystemClock(), random.Random(1))  # type: ignore[arg-type]
    devices[1].while_looking = lambda: simulation.wake(1)
    simulation.wake(1)
    simulation.run(60.0, threads=2, stopping=stopping)
    assert [device.looks for device in devices] == [0, 2, 0]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_tally_knows_its_quantiles(share: float, expected: float) -> None:
    tally = Tally()
    assert tally.quantile_s(share) == 0.0
    for number in range(1, 101):
        tally.note(200, float(number), 0.0)
    assert tally.quantile_s(share) == expected
