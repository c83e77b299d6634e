"""Roll-outs over HTTP and from the command line, followed by a camera that reports."""

from __future__ import annotations

import json

from cloud.api.rolling import take_step
from cloud.cli import app
from cloud.store import devices
from edge_agent.wire.sync import Desired, Reported
from tests.cloud.api.conftest import Camera, Cloud
from tests.cloud.api.test_devices import add_bundle
from tests.fakes.console import Console


def plan(cloud: Cloud, **changes: object) -> dict[str, object]:
    return {"name": "first", "bundle_ids": [add_bundle(cloud)], "observe_s": 60.0, **changes}


def obey(cloud: Cloud, camera: Camera) -> None:
    """Fetch what is wanted and report it as installed."""
    wanted = Desired.from_json(cloud.client.get("/api/v1/device/desired", headers=camera.headers()).content)
    reported = Reported(
        device=camera.name, desired_version=wanted.version, agent_version="0.1.0", profile="pi-4",
        installed=wanted.bundle,
    )  # fmt: skip
    answer = cloud.client.put(
        "/api/v1/device/reported", json=json.loads(reported.to_json()), headers=camera.headers()
    )
    assert answer.status_code == 204


def test_roll_out_is_planned_begun_and_carried_to_its_end(cloud: Cloud, camera: Camera) -> None:
    body = plan(cloud)
    shown = cloud.client.post("/api/v1/rollouts/preview", json=body).json()
    assert ([one["device"] for one in shown["devices"]], shown["total_bytes"]) == ([camera.name], 10)
    assert cloud.client.get("/api/v1/rollouts").json() == []
    begun = cloud.client.post("/api/v1/rollouts", json=body)
    assert (begun.status_code, begun.json()["counts"]) == (201, {"waiting": 1})
    assert take_step(cloud.app.state.services) == 1
    assert cloud.hints == [(camera.name, 1)]
    for _ in range(3):
        obey(cloud, camera)
        take_step(cloud.app.state.services)
        cloud.clock.advance(61)
    (one,) = cloud.client.get("/api/v1/rollouts").json()
    assert (one["state"], one["counts"]) == ("done", {"succeeded": 1})
    assert take_step(cloud.app.state.services) == 0
    assert [row["what"] for row in cloud.client.get("/api/v1/audit").json()][:2] == [
        "roll-out done", "roll-out begun",
    ]  # fmt: skip


def test_roll_out_obeys_orders_that_make_sense(cloud: Cloud, camera: Camera) -> None:
    number = cloud.client.post("/api/v1/rollouts", json=plan(cloud)).json()["number"]
    path = f"/api/v1/rollouts/{number}"
    assert cloud.client.post(f"{path}/pause").json()["state"] == "paused"
    assert take_step(cloud.app.state.services) == 0
    assert cloud.client.post(f"{path}/pause").status_code == 409
    assert cloud.client.post(f"{path}/explode").status_code == 422
    assert cloud.client.post("/api/v1/rollouts/99/pause").status_code == 404
    assert cloud.client.get(f"/api/v1/rollouts/{10**60}").status_code == 404
    assert cloud.client.post(f"{path}/continue").json()["state"] == "running"
    take_step(cloud.app.state.services)
    (member,) = cloud.client.get(path).json()["members"]
    assert (member["device"], member["state"]) == (camera.name, "asked")


SENSELESS: list[tuple[dict[str, object], int]] = [
    ({"shares": [0.5]}, 422),
    ({"shares": [1.0, 0.5]}, 422),
    ({"name": ""}, 422),
    ({"bundle_ids": ["bun_nowhere"]}, 404),
    ({"selector": {"groups": ["nobody"]}}, 422),
    ({"selector": {"devices": ["stranger"]}}, 404),
    ({"unknown": 1}, 422),
]


def test_plan_that_makes_no_sense_is_refused(cloud: Cloud, camera: Camera) -> None:
    body = plan(cloud)
    for changes, status in SENSELESS:
        answer = cloud.client.post("/api/v1/rollouts", json={**body, **changes})
        assert (changes, answer.status_code) == (changes, status)
    assert cloud.client.post("/api/v1/rollouts", json=body).json()["counts"] == {"waiting": 1}
    assert camera.name


def test_commands_do_the_same_on_the_home_folder(cloud: Cloud, camera: Camera) -> None:
    with cloud.home.database.write() as session:
        devices.find(session, camera.name).group = "yard"
    bundle = add_bundle(cloud)

    def command(*arguments: str) -> str:
        environment = {"ELFOWL_HOME": str(cloud.home.settings.home)}
        result = Console().invoke(app, ["rollout", *arguments], env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    begin = ("begin", bundle, "--name", "yard", "--group", "yard")
    assert "1 cameras" in command(*begin, "--dry-run")
    assert json.loads(command(*begin, "--json"))["counts"] == {"waiting": 1}
    assert "paused" in command("pause", "1")
    assert camera.name in command("show", "1")
    assert "aborting" in command("abort", "1")
    assert "yard" in command("list")
