"""Frigate's topics: documents of its shape, counts as it counts, commands as it takes them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from edge_agent.report.discovery import CameraEntity, LabelEntity
from edge_agent.report.frigate import Frigate, frigate_object
from edge_agent.report.publisher import Publisher
from edge_agent.wire.frigate import FRIGATE_FIELDS, FrigateObject
from edge_agent.wire.status import CameraDetail, CameraStats, LabelAttributes, Stats
from edge_agent.wire.topics import Topics
from tests.edge_agent.wire.examples import EVENT
from tests.fakes.clock import FakeClock
from tests.fakes.link import FakeLink

TOPICS = Topics("porch")


@pytest.fixture
def frigate() -> Frigate:
    return Frigate("frigate")


def test_event_tells_how_the_object_was_and_how_it_is(frigate: Frigate) -> None:
    new = frigate.event(EVENT.to_json())
    later = EVENT.model_copy(update={"event_type": "end", "end_time": 1_800_000_009.0, "score": 0.5})
    end = frigate.event(later.to_json())
    assert new is not None
    assert end is not None
    assert (end.topic, end.retain) == ("frigate/events", False)
    said = json.loads(end.payload)
    assert json.loads(new.payload)["before"] == json.loads(new.payload)["after"] == said["before"]
    assert (said["type"], said["before"]["score"], said["after"]["score"]) == ("end", 0.75, 0.5)
    assert said["after"]["end_time"] == 1_800_000_009.0


def test_object_has_pixels_zones_and_attributes() -> None:
    told = frigate_object(EVENT)
    assert told.box == (192, 288, 384, 576)
    assert (told.area, told.ratio, told.region) == (192 * 288, 0.67, (0, 0, 768, 576))
    assert told.entered_zones == ("path",)
    assert told.attributes == {"kind: diet": 0.75}
    assert told.has_snapshot
    assert told.snapshot is not None
    assert not frigate_object(
        EVENT.model_copy(update={"snapshot": EVENT.snapshot.model_copy(update={"available": False})})
    ).has_snapshot


def test_table_of_fields_tells_of_every_field() -> None:
    told = {name for row in FRIGATE_FIELDS for name in row.name.split(", ")}
    assert told == FrigateObject.model_fields.keys()


@pytest.mark.parametrize("document", ["", "{", "{}", '{"schema": 1}'])
def test_document_that_is_no_event_is_not_told(frigate: Frigate, document: str) -> None:
    assert frigate.event(document) is None


def test_counts_of_labels_add_up_to_all(frigate: Frigate) -> None:
    frigate.label("front", "person", LabelAttributes(label="person", count=2))
    messages = frigate.label("front", "cat", LabelAttributes(label="cat", count=3, stationary=1))
    assert {message.topic: message.payload for message in messages} == {
        "frigate/front/cat": b"3",
        "frigate/front/cat/active": b"2",
        "frigate/front/all": b"5",
        "frigate/front/all/active": b"4",
    }


@pytest.mark.parametrize(
    ("topic", "own"),
    [
        ("frigate/front/detect/set", "elfowl/porch/cam/front/switch/detect/set"),
        ("frigate/front/snapshots/set", "elfowl/porch/cam/front/switch/snapshots/set"),
        ("frigate/front/recordings/set", "frigate/front/recordings/set"),
        ("x/frigate/front/detect/set", "x/frigate/front/detect/set"),
        ("elfowl/porch/feedback/set", "elfowl/porch/feedback/set"),
    ],
)
def test_command_on_a_topic_of_frigate_is_understood(frigate: Frigate, topic: str, own: str) -> None:
    assert frigate.own_topic(TOPICS, topic) == own


def test_everything_said_on_frigate_topics_is_named_for_removal(frigate: Frigate, tmp_path: Path) -> None:
    link = FakeLink()
    publisher = Publisher(
        link,
        TOPICS,
        remembered_file=tmp_path / "topics.json",
        clock=FakeClock(),
        rng=random.Random(1),
        frigate=frigate,
    )
    cameras = [CameraEntity("front", (LabelEntity("cat", "cat"),))]
    publisher.declare([], frigate.state_topics(cameras))
    publisher.camera_status("front", CameraDetail(status="online", reason="ok", since=1.0))
    publisher.label("front", "cat", LabelAttributes(label="cat", count=1))
    publisher.snapshot("front", "cat", b"jpeg")
    for feature in ("detect", "snapshots", "threshold"):
        publisher.switch("front", feature, "ON")
    camera = CameraStats(fps_captured=5, fps_inferred=2, frames_skipped=0, frames_dropped=0, gate_ratio=0.4)
    publisher.stats(Stats(device="porch", agent_version="0", uptime_s=1.0, cameras={"front": camera}))
    said = [message for message in link.sent if message.topic.startswith("frigate/")]
    states = {message.topic for message in said} - {"frigate/stats"}
    assert states <= set(frigate.state_topics(cameras))
    assert {"frigate/available", "frigate/front/cat", "frigate/front/detect/state"} <= states
    stats = json.loads(next(message.payload for message in said if message.topic == "frigate/stats"))
    assert stats["cameras"]["front"]["detection_fps"] == 2.0
    assert publisher.goodbye()[-1].payload == b"stopped"
