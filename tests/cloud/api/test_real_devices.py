"""The agent's own enrolment against the real server over sockets; changes that two make, or one misses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from edge_agent.errors import ConfigError
from edge_agent.update.enrol import DeviceFacts, enrol
from edge_agent.update.fetcher import open_client
from edge_agent.update.identity import Identity
from tests.cloud.api.conftest import Cloud
from tests.cloud.api.served import served
from tests.cloud.api.test_simulated_fleet import join

RACERS = 6


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with open_client() as client:
        client.timeout = httpx.Timeout(120.0)
        yield client


class Street:
    """A cloud on a socket, and devices that come along."""

    def __init__(self, cloud: Cloud, port: int, folder: Path, http: httpx.Client) -> None:
        self.cloud = cloud
        self.url = f"http://127.0.0.1:{port}"
        self._folder, self._http = folder, http

    def token(self) -> str:
        return str(self.cloud.client.post("/api/v1/enrolment-tokens").json()["token"])

    def join(self, token: str, name: str, state: str | None = None) -> Identity:
        facts = DeviceFacts(name=name, profile="pi-4", arch="aarch64", agent_version="0.1.0")
        return enrol(self.url, token, facts, self._folder / (state or name), client=self._http)

    def lets_in(self, identity: Identity) -> bool:
        headers = {"Authorization": f"Bearer {identity.bearer_token(self.cloud.clock)}"}
        answer = self._http.get(f"{self.url}/api/v1/device/desired", headers=headers)
        assert answer.status_code in {200, 401}
        return answer.status_code == 200

    def devices(self) -> set[str]:
        return {row["name"] for row in self.cloud.client.get("/api/v1/devices").json()}


@pytest.fixture
def street(cloud: Cloud, tmp_path: Path, http: httpx.Client) -> Iterator[Street]:
    with served(cloud) as port:
        yield Street(cloud, port, tmp_path / "devices", http)


def test_token_that_was_used_lets_no_other_device_in(street: Street) -> None:
    token = street.token()
    first = street.join(token, "porch")
    with pytest.raises(ConfigError, match="refused to enrol 'thief'") as refused:
        street.join(token, "thief")
    assert token not in str(refused.value)
    assert street.devices() == {"porch"}
    assert street.lets_in(first)


def test_of_devices_that_race_for_a_token_one_joins(street: Street) -> None:
    token, joined, refused = street.token(), [], []
    start = threading.Barrier(RACERS)

    def race(name: str) -> None:
        start.wait()
        try:
            joined.append(street.join(token, name))
        except ConfigError as error:
            refused.append(error)

    racers = [threading.Thread(target=race, args=(f"cam{number}",)) for number in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert (len(joined), len(refused)) == (1, RACERS - 1)
    assert street.devices() == {joined[0].device}
    assert street.lets_in(joined[0])


def test_device_with_a_key_of_its_own_is_not_taken_for_another(street: Street) -> None:
    porch, yard = street.join(street.token(), "porch"), street.join(street.token(), "yard")
    with pytest.raises(ConfigError, match="refused to enrol 'porch'"):
        street.join(street.token(), "porch", state="thief")
    assert not street.lets_in(replace(yard, enrolment=porch.enrolment)), "its own key in the other's name"
    assert street.lets_in(porch)
    assert street.lets_in(yard)


def test_device_that_missed_five_changes_takes_the_last_in_one_look(cloud: Cloud, tmp_path: Path) -> None:
    device, *_ = join(cloud, tmp_path)
    name = device.identity.device
    device.step()
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5):
        change = cloud.client.put(f"/api/v1/devices/{name}/cameras/cam", json={"threshold": threshold})
        assert change.status_code == 200
    device.step()
    seen = cloud.client.get(f"/api/v1/devices/{name}").json()
    assert seen["desired"]["version"] == seen["reported"]["desired_version"] == 5
    assert seen["reported"]["cameras"]["cam"]["threshold"] == 0.5


def test_two_who_write_at_once_lose_nothing(street: Street, http: httpx.Client) -> None:
    street.join(street.token(), "porch")
    changes: list[dict[str, object]] = [{"detect": False}, {"offload": False}, {"threshold": 0.7}]
    answers: list[httpx.Response] = []

    def write(change: dict[str, object]) -> None:
        answers.append(http.put(f"{street.url}/api/v1/devices/porch/cameras/door", json=change))

    writers = [threading.Thread(target=write, args=(change,)) for change in changes]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [answer.status_code for answer in answers] == [200] * len(changes)
    assert sorted(answer.json()["desired"]["version"] for answer in answers) == [1, 2, 3]
    desired = street.cloud.client.get("/api/v1/devices/porch").json()["desired"]
    assert desired["cameras"]["door"].items() >= {"detect": False, "offload": False, "threshold": 0.7}.items()
