"""The agent as a process against a real Mosquitto: what is said, and what survives kill -9."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.wire.base import Document
from edge_agent.wire.event import Event
from edge_agent.wire.homeassistant import HaEntity
from edge_agent.wire.status import Stats
from edge_agent.wire.topics import match_topic
from tests.system.agents import SQUARES, AgentProcess, Ear
from tests.system.mosquitto import Mosquitto

pytestmark = [pytest.mark.system, pytest.mark.slow]

SESSION = ("persistence true", "autosave_on_changes true", "autosave_interval 1", "max_queued_messages 10000")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, *SESSION, f"persistence_location {tmp_path}/")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def ear(broker: Mosquitto) -> Iterator[Ear]:
    ear = Ear(broker.port)
    yield ear
    ear.close()


@pytest.fixture
def agent(tmp_path: Path, broker: Mosquitto, ear: Ear) -> Iterator[AgentProcess]:
    assert ear.client is not None, "somebody listens from the start"
    agent = AgentProcess(tmp_path, SQUARES.format(port=broker.port))
    yield agent
    agent.clean_up()


def kinds(events: list[Event]) -> set[str]:
    return {event.event_type for event in events}


def check_against_wire(heard: list[tuple[str, bytes, bool]]) -> None:
    for topic, payload, _retained in heard:
        spec = match_topic(topic)
        assert spec is not None, topic
        if not payload:
            assert spec.retained
        elif isinstance(spec.payload, type) and issubclass(spec.payload, Document):
            spec.payload.from_json(payload)
        elif spec.payload == "online | offline":
            assert payload in {b"online", b"offline"}
        elif spec.payload == "integer as text":
            assert int(payload) >= 0
        elif spec.payload == "JPEG":
            assert payload.startswith(b"\xff\xd8")


def test_agent_says_everything_as_documented_and_obeys(agent: AgentProcess, ear: Ear) -> None:
    ear.wait(lambda: ear.last("elfowl/porch/available") == b"online")
    ear.wait(lambda: kinds(ear.events()) == {"new", "update", "end"} or len(ear.events()) > 8)
    ear.wait(lambda: ear.last("elfowl/porch/stats") is not None)
    assert {"new", "end"} <= kinds(ear.events())
    assert ear.last("elfowl/porch/cam/front/status") == b"online"
    assert b"1" in ear.payloads("elfowl/porch/cam/front/label/red_square")
    assert ear.last("elfowl/porch/cam/front/label/red_square/snapshot") is not None
    entity = HaEntity.from_json(
        ear.payloads("homeassistant/binary_sensor/porch/front-occupancy-red_square/config")[-1]
    )
    assert entity.state_topic == "elfowl/porch/cam/front/label/red_square"
    stats = Stats.from_json(ear.payloads("elfowl/porch/stats")[-1])
    assert stats.cameras["front"].fps_captured > 0
    check_against_wire(ear.heard)

    ear.client.publish("elfowl/porch/cam/front/switch/detect/set", "OFF", 1)
    ear.client.publish("elfowl/porch/cam/front/switch/detect/set", "{hostile", 1)
    ear.client.publish("elfowl/porch/cam/front/switch/threshold/set", "0.6", 1)
    ear.wait(lambda: ear.last("elfowl/porch/cam/front/switch/detect/state") == b"OFF")
    ear.wait(lambda: ear.last("elfowl/porch/cam/front/switch/threshold/state") == b"0.6")
    ear.wait(lambda: ear.last("elfowl/porch/cam/front/label/red_square") == b"0")

    ear.heard.clear()
    ear.client.publish("homeassistant/status", "online", 1)
    ear.wait(lambda: ear.last("elfowl/porch/available") == b"online")
    assert ear.payloads("homeassistant/update/porch/detector/config") != []

    assert agent.stop() == 0
    ear.wait(lambda: ear.last("elfowl/porch/available") == b"offline")
    agent.log.unlink()


def test_agent_will_says_offline_after_kill_9_and_settings_survive(agent: AgentProcess, ear: Ear) -> None:
    ear.wait(lambda: ear.last("elfowl/porch/available") == b"online")
    ear.client.publish("elfowl/porch/cam/front/switch/snapshots/set", "OFF", 1)
    ear.wait(lambda: ear.last("elfowl/porch/cam/front/switch/snapshots/state") == b"OFF")
    agent.kill()
    ear.wait(lambda: ear.last("elfowl/porch/available") == b"offline")
    switch = "elfowl/porch/cam/front/switch/snapshots/state"
    said = len(ear.payloads(switch))
    agent.restart()
    ear.wait(lambda: ear.last("elfowl/porch/available") == b"online")
    # What was heard before the kill proves nothing: the restarted agent must say it anew.
    ear.wait(lambda: len(ear.payloads(switch)) > said)
    assert ear.last(switch) == b"OFF"


def test_no_event_is_missing_after_kill_9_of_the_broker(
    agent: AgentProcess, broker: Mosquitto, ear: Ear
) -> None:
    ear.wait(lambda: len(ear.events()) >= 2)
    for _ in range(2):
        broker.kill()
        time.sleep(5.0)
        broker.start()
        heard = len(ear.events())
        ear.wait(lambda heard=heard: len(ear.events()) >= heard + 2)  # type: ignore[misc]
    assert agent.stop() == 0
    visits = agent.visits()
    ear.wait(lambda: ear.last("elfowl/porch/available") == b"offline")
    by_id: dict[str, set[str]] = {}
    for event in ear.events():
        by_id.setdefault(event.id, set()).add(event.event_type)
    starts = {event.start_time for event in ear.events()}
    assert len(visits) >= 4
    for came, went in visits:
        assert any(came - 0.2 <= start <= went for start in starts), "a visit nobody heard of"
    assert all({"new", "end"} <= told for told in by_id.values()), json.dumps(
        {k: sorted(v) for k, v in by_id.items()}
    )
    check_against_wire(ear.heard)
