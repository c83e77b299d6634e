"""The publisher: everything is said again when somebody may have forgotten it."""

from __future__ import annotations

import json
import random
from pathlib import Path

from edge_agent.report.discovery import (
    CameraEntity,
    DeviceEntity,
    LabelEntity,
    discovery_documents,
    state_topics,
)
from edge_agent.report.publisher import Publisher, will_of
from edge_agent.wire.status import CameraDetail, LabelAttributes, Stats, UpdateState
from edge_agent.wire.topics import Topics, match_topic
from tests.fakes.clock import FakeClock
from tests.fakes.link import FakeLink

TOPICS = Topics("porch")
STATS = Stats(device="porch", agent_version="0", uptime_s=1.0, cameras={})


class Stage:
    def __init__(self, folder: Path, *labels: str, connected: bool = True) -> None:
        self.link = FakeLink(connected=connected)
        self.clock = FakeClock()
        self.publisher = Publisher(
            self.link, TOPICS, remembered_file=folder / "topics.json", clock=self.clock, rng=random.Random(1)
        )
        self.declare(*labels)

    def declare(self, *labels: str) -> None:
        cameras = [CameraEntity("front", tuple(LabelEntity(label, label) for label in labels))]
        entities = discovery_documents(TOPICS, DeviceEntity("0", "x86-64"), cameras)
        self.publisher.declare(entities, state_topics(TOPICS, cameras))

    def settle(self) -> None:
        for _ in range(20):
            self.clock.advance(1.0)
            self.publisher.tick()


def test_connect_says_discovery_then_states_then_online(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "person", connected=False)
    stage.publisher.switch("front", "detect", "ON")
    assert stage.link.sent == []
    stage.link.connected = True
    stage.publisher.up()
    topics = stage.link.topics()
    assert topics[0].startswith("homeassistant/")
    assert topics[-2:] == ["elfowl/porch/cam/front/switch/detect/state", "elfowl/porch/available"]
    assert stage.link.sent[-1].payload == b"online"


def test_everything_published_is_in_the_wire_map(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "person")
    publisher = stage.publisher
    publisher.camera_status("front", CameraDetail(status="online", reason="pictures are coming", since=1.0))
    publisher.label("front", "person", LabelAttributes(label="person", count=2))
    publisher.snapshot("front", "person", b"jpeg")
    publisher.switch("front", "threshold", "0.5")
    publisher.detector(UpdateState(installed_version="1", latest_version="2"))
    publisher.stats(STATS)
    for message in (*stage.link.sent, *publisher.goodbye(), will_of(TOPICS)):
        spec = match_topic(message.topic)
        assert spec is not None, message.topic
        assert (message.qos, message.retain) == (spec.qos, spec.retained), message.topic
        if not isinstance(spec.payload, str):
            spec.payload.from_json(message.payload)


def test_same_state_is_not_said_twice(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.link.sent.clear()
    for _ in range(3):
        stage.publisher.switch("front", "detect", "ON")
    assert len(stage.link.sent) == 1


def test_homeassistant_start_says_all_again_once_after_a_pause(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "person")
    stage.publisher.switch("front", "detect", "ON")
    stage.publisher.stats(STATS)
    stage.link.sent.clear()
    for _ in range(5):
        stage.publisher.homeassistant_started()
        stage.publisher.tick()
    assert stage.link.sent == []
    for _ in range(40):
        stage.clock.advance(0.5)
        stage.publisher.tick()
    topics = stage.link.topics()
    assert topics.count("elfowl/porch/cam/front/switch/detect/state") == 1
    assert topics[-1] == TOPICS.stats, "what is not retained comes when Home Assistant listens"


def removed(link: FakeLink) -> set[str]:
    return {message.topic for message in link.sent if message.retain and message.payload == b""}


def test_label_that_goes_is_removed_from_the_broker(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "person", "cat")
    stage.publisher.label("front", "cat", LabelAttributes(label="cat", count=1))
    stage.link.sent.clear()
    stage.declare("person")
    entity = "homeassistant/binary_sensor/porch/front-occupancy-cat/config"
    snapshot = "elfowl/porch/cam/front/label/cat/snapshot"
    gone = removed(stage.link)
    assert entity in gone
    assert snapshot not in gone, "Home Assistant still listens to it, and would complain"
    stage.settle()
    assert snapshot in removed(stage.link)
    assert not any("person" in topic for topic in removed(stage.link))
    stage.link.sent.clear()
    stage.publisher.up()
    assert removed(stage.link) == set()
    assert not any("/cat" in topic for topic in stage.link.topics())


def test_label_that_went_while_agent_was_down_is_removed_on_connect(tmp_path: Path) -> None:
    Stage(tmp_path, "person", "cat")
    again = Stage(tmp_path, "person", connected=False)
    third = Stage(tmp_path, "person", connected=False)
    assert again.link.sent == []
    third.link.connected = True
    third.publisher.up()
    assert any("cat" in topic for topic in removed(third.link))


def test_damaged_memory_of_topics_is_none(tmp_path: Path) -> None:
    (tmp_path / "topics.json").write_text('{"not": "a list"')
    assert removed(Stage(tmp_path, "person").link) == set()


def test_update_entity_has_no_empty_keys(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.publisher.detector(UpdateState(installed_version="1", latest_version="2"))
    assert None not in json.loads(stage.link.sent[-1].payload).values()
