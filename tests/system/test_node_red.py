"""Our example flows in a real Node-RED, one of them as it was written for Frigate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.agents import SQUARES, AgentProcess, Ear
from tests.system.mosquitto import Mosquitto
from tests.system.node_red import NodeRed

pytestmark = [pytest.mark.system, pytest.mark.slow]

FLOWS = Path(__file__).parents[2] / "deploy" / "node-red" / "elfowl-flows.json"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    ear = Ear(broker.port)
    yield ear
    ear.close()


@pytest.fixture
def node_red(tmp_path: Path, broker: Mosquitto) -> Iterator[NodeRed]:
    node_red = NodeRed(tmp_path / "node-red", FLOWS, broker.port)
    yield node_red
    node_red.stop()


def test_flows_announce_give_feedback_and_read_frigate_events(
    tmp_path: Path, broker: Mosquitto, ear: Ear, node_red: NodeRed
) -> None:
    assert node_red.port
    config = SQUARES.format(port=broker.port).replace("}\n", ", compat: frigate}\n", 1)
    agent = AgentProcess(tmp_path, config)
    try:
        ear.wait(lambda: ear.last("house/announcements") is not None)
        ear.wait(lambda: ear.last("house/frigate_seen") is not None)
        assert ear.last("house/announcements") == b"red square at front, 90 % sure"
        seen = json.loads(ear.last("house/frigate_seen") or b"")
        # In pixels, as Frigate tells of boxes.
        assert seen == {"camera": "front", "label": "red_square", "width": 30, "height": 30}

        ear.client.publish("house/last_was_wrong", "{}", 1)
        ear.wait(lambda: ear.last("elfowl/porch/feedback/set") is not None)
        feedback = json.loads(ear.last("elfowl/porch/feedback/set") or b"")
        assert feedback["verdict"] == "wrong"
        assert feedback["event_id"] in {event.id for event in ear.events()}

        ear.client.publish("frigate/front/detect/set", "OFF", 1)
        ear.wait(lambda: ear.last("frigate/front/detect/state") == b"OFF")
        assert ear.last("elfowl/porch/cam/front/switch/detect/state") == b"OFF"
        assert agent.end() == 0
        ear.wait(lambda: ear.last("frigate/available") == b"stopped")
    finally:
        agent.clean_up()
