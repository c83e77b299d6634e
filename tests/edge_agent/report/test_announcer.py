"""Discovery in both styles: what is taken back leaves nothing, what moves keeps its entities."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.report.announcer import DiscoveryStyle
from edge_agent.report.discovery import (
    CameraEntity,
    DeviceEntity,
    LabelEntity,
    discovery_documents,
    state_topics,
)
from edge_agent.report.publisher import Publisher
from edge_agent.wire.status import CameraDetail, LabelAttributes
from edge_agent.wire.topics import Topics
from tests.fakes.clock import FakeClock
from tests.fakes.homeassistant_rules import breaches
from tests.fakes.link import FakeLink

DEVICE = DeviceEntity("0", "x86-64", temperature=True)
DOCUMENT = "homeassistant/device/elfowl-porch/config"
ENTITY = "homeassistant/sensor/porch/front-count-cat/config"
COUNT = "front-count-cat"
MIGRATE = b'{"migrate_discovery": true}'
World = dict[str, list[str]]


class Broker:
    """What is retained, and what agents with the same state folder say one after the other."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "topics.json"
        self.clock = FakeClock()
        self.retained: dict[str, bytes] = {}
        self.link = FakeLink()
        self._read = 0

    def agent(
        self, world: World, *, style: DiscoveryStyle, device: str = "porch", prefix: str = "elfowl"
    ) -> None:
        self.topics = Topics(device, prefix)
        self.publisher = Publisher(
            self.link,
            self.topics,
            remembered_file=self.file,
            clock=self.clock,
            rng=random.Random(1),
            style=style,
        )
        self.declare(world)

    def declare(self, world: World) -> None:
        cameras = [
            CameraEntity(name, tuple(LabelEntity(x, x) for x in labels)) for name, labels in world.items()
        ]
        entities = discovery_documents(self.topics, DEVICE, cameras)
        self.publisher.declare(entities, state_topics(self.topics, cameras))
        for camera in cameras:
            self.publisher.camera_status(camera.name, CameraDetail(status="online", reason="ok", since=1.0))
            self.publisher.switch(camera.name, "detect", "ON")
            for label in camera.labels:
                self.publisher.label(camera.name, label.slug, LabelAttributes(label=label.name, count=1))
                self.publisher.snapshot(camera.name, label.slug, b"jpeg")

    def settle(self, seconds: int = 20) -> None:
        for _ in range(seconds):
            self.clock.advance(1.0)
            self.publisher.tick()
        self.read()

    def read(self) -> list[tuple[str, bytes]]:
        """Take in what was published since the last look, and return it."""
        fresh, self._read = self.link.sent[self._read :], len(self.link.sent)
        for message in fresh:
            if message.retain:
                self.retained[message.topic] = message.payload
        self.retained = {topic: payload for topic, payload in self.retained.items() if payload}
        return [(message.topic, message.payload) for message in fresh]

    def document(self) -> dict[str, dict[str, object]]:
        components: dict[str, dict[str, object]] = json.loads(self.retained[DOCUMENT])["components"]
        return components


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    return Broker(tmp_path)


def test_device_document_breaks_no_rule_of_home_assistant(broker: Broker) -> None:
    broker.agent({"front": ["person", "cat"], "back": ["cat"]}, style="device")
    broker.read()
    assert breaches(DOCUMENT, broker.retained[DOCUMENT].decode()) == []
    assert not any("/sensor/" in topic for topic in broker.retained)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("availability_mode",), "all", "root key availability_mode"),
        (("~",), "elfowl/porch", "root key ~"),
        (("device", "colour"), "red", "device key colour"),
        (("device", "identifiers"), [], "device is not identified"),
        (("origin", "homepage"), "x", "origin key homepage"),
        (("origin", "name"), "", "origin has no name"),
        (("components", COUNT, "unit"), "1", f"{COUNT}: key unit"),
        (("components", COUNT, "platform"), "counter", f"{COUNT}: platform counter"),
        (("components", COUNT, "icon"), None, f"null at /components/{COUNT}/icon"),
        (
            ("components", COUNT, "unique_id"),
            "elfowl:porch:detector",
            "unique_id elfowl:porch:detector twice",
        ),
        (("components", COUNT, "availability"), [{}], f"{COUNT}: no availability"),
    ],
)
def test_breach_of_a_rule_of_home_assistant_is_named(
    broker: Broker, path: tuple[str, ...], value: object, says: str
) -> None:
    broker.agent({"front": ["cat"]}, style="device")
    broker.read()
    document = json.loads(broker.retained[DOCUMENT])
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert any(says in breach for breach in breaches(DOCUMENT, json.dumps(document)))


def test_component_that_goes_is_named_once_with_its_platform_then_left_out(broker: Broker) -> None:
    broker.agent({"front": ["person", "cat"]}, style="device")
    broker.settle()
    broker.declare({"front": ["person"]})
    broker.read()
    assert broker.document()["front-count-cat"] == {"platform": "sensor"}
    assert breaches(DOCUMENT, broker.retained[DOCUMENT].decode()) == []
    assert "elfowl/porch/cam/front/label/cat" in broker.retained, "states go later"
    broker.settle()
    assert "front-count-cat" not in broker.document()
    assert not any("/cat" in topic for topic in broker.retained)


def test_documents_of_quick_changes_are_spaced_and_no_removal_is_lost(broker: Broker) -> None:
    broker.agent({"front": ["person", "cat"]}, style="device")
    broker.read()
    broker.declare({"front": ["person"]})
    assert DOCUMENT not in dict(broker.read()), "two documents back to back lose components"
    broker.clock.advance(5.1)
    broker.publisher.tick()
    broker.read()
    assert broker.document()["front-count-cat"] == {"platform": "sensor"}
    broker.settle()
    assert "front-count-cat" not in broker.document()


def test_move_to_the_device_style_migrates_before_anything_is_removed(broker: Broker) -> None:
    broker.agent({"front": ["cat"]}, style="per_entity")
    broker.settle()
    broker.agent({"front": ["cat"]}, style="device")
    said = broker.read()
    order = [said.index((ENTITY, MIGRATE)), [topic for topic, _ in said].index(DOCUMENT)]
    assert order == sorted(order)
    assert (ENTITY, b"") not in said, "not yet: Home Assistant would forget the entity"
    broker.settle()
    assert [topic for topic in broker.retained if topic.startswith("homeassistant/")] == [DOCUMENT]


def test_move_back_to_single_entities_migrates_too(broker: Broker) -> None:
    broker.agent({"front": ["cat"]}, style="device")
    broker.settle()
    broker.agent({"front": ["cat"]}, style="per_entity")
    said = [topic for topic, payload in broker.read() if payload]
    assert said.index(DOCUMENT) < said.index(ENTITY)
    assert MIGRATE not in broker.retained.values(), "it is said to whoever listens now, not kept"
    broker.settle()
    assert DOCUMENT not in broker.retained
    assert ENTITY in broker.retained


WORLDS = st.dictionaries(
    st.sampled_from(["front", "back", "a-b"]),
    st.lists(st.sampled_from(["cat", "person"]), unique=True),
    max_size=3,
)
AGENTS = st.tuples(
    WORLDS,
    st.sampled_from(["per_entity", "device"]),
    st.sampled_from(["porch", "barn"]),
    st.sampled_from(["elfowl", "owls/all"]),
    st.booleans(),
)


@given(st.lists(AGENTS, min_size=1, max_size=4))
def test_retained_set_has_no_leftovers_whatever_was_before(
    agents: list[tuple[World, DiscoveryStyle, str, str, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        for world, style, device, prefix, lives_on in agents:
            broker.agent(world, style=style, device=device, prefix=prefix)
            broker.settle(20 if lives_on else 1)
        broker.settle()
        with tempfile.TemporaryDirectory() as fresh:
            alone = Broker(Path(fresh))
            world, style, device, prefix, _ = agents[-1]
            alone.agent(world, style=style, device=device, prefix=prefix)
            alone.settle()
        assert broker.retained == alone.retained


def test_list_of_topics_of_the_first_agents_is_still_cleaned_up(broker: Broker) -> None:
    old = ["homeassistant/sensor/porch/front-count-dog/config", "elfowl/porch/cam/front/label/dog"]
    broker.file.write_text(json.dumps(old))
    broker.retained = dict.fromkeys(old, b"x")
    broker.agent({"front": ["cat"]}, style="per_entity")
    broker.settle()
    assert not any("dog" in topic for topic in broker.retained)
