"""Home Assistant discovery: every entity right, none twice."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.report.discovery import (
    CameraEntity,
    DeviceEntity,
    LabelEntity,
    discovery_documents,
    state_topics,
)
from edge_agent.wire.homeassistant import HaEntity
from edge_agent.wire.topics import Topics, match_topic

DEVICE = DeviceEntity("0.1.0", "x86-64", temperature=True)
PERSON = LabelEntity("kid's hand", "kids_hand")
CAMERA = CameraEntity("front", (PERSON,), can_offload=True)


def documents(*cameras: CameraEntity, device: str = "porch") -> dict[str, HaEntity]:
    found = discovery_documents(Topics(device), DEVICE, cameras)
    return {topic: config for topic, config in found if isinstance(config, HaEntity)}


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (
            "homeassistant/binary_sensor/porch/front-occupancy-kids_hand/config",
            {
                "name": "front kid's hand",
                "state_topic": "elfowl/porch/cam/front/label/kids_hand",
                "device_class": "occupancy",
                "json_attributes_topic": "elfowl/porch/cam/front/label/kids_hand/attributes",
                "default_entity_id": "binary_sensor.porch_front_kids_hand_occupancy",
                "object_id": "porch_front_kids_hand_occupancy",
            },
        ),
        (
            "homeassistant/event/porch/front-detections-camera/config",
            {"state_topic": "elfowl/porch/cam/front/event", "event_types": ["new", "update", "end"]},
        ),
        (
            "homeassistant/image/porch/front-picture-kids_hand/config",
            {"image_topic": "elfowl/porch/cam/front/label/kids_hand/snapshot", "content_type": "image/jpeg"},
        ),
        (
            "homeassistant/switch/porch/front-offload-camera/config",
            {
                "state_topic": "elfowl/porch/cam/front/switch/offload/state",
                "command_topic": "elfowl/porch/cam/front/switch/offload/set",
                "payload_on": "ON",
            },
        ),
        ("homeassistant/number/porch/front-threshold-camera/config", {"min": 0.0, "max": 1.0, "step": 0.01}),
        (
            "homeassistant/update/porch/detector/config",
            {"state_topic": "elfowl/porch/detector/state", "payload_install": "install"},
        ),
        ("homeassistant/sensor/porch/temperature_c/config", {"unit_of_measurement": "°C"}),
    ],
)
def test_documents_entity_has_its_keys(topic: str, expected: dict[str, object]) -> None:
    config = json.loads(documents(CAMERA)[topic].to_json())
    assert expected.items() <= config.items()


def test_documents_use_only_known_keys_and_declared_topics() -> None:
    for topic, entity in documents(CAMERA).items():
        spec = match_topic(topic)
        assert spec is not None
        assert spec.payload is HaEntity
        assert entity.model_extra == {}, "a misspelt key is never reported by Home Assistant"
        config = json.loads(entity.to_json())
        for key in ("state_topic", "command_topic", "json_attributes_topic", "image_topic"):
            assert key not in config or match_topic(config[key]) is not None
        for source in config["availability"]:
            assert match_topic(source["topic"]) is not None
        assert re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", config["default_entity_id"])
        assert "state_topic" in config or "image_topic" in config


def test_documents_states_depend_on_camera_settings_do_not() -> None:
    found = documents(CAMERA)
    state = found["homeassistant/sensor/porch/front-count-kids_hand/config"]
    setting = found["homeassistant/switch/porch/front-detect-camera/config"]
    assert [a.topic for a in state.availability] == [
        "elfowl/porch/available",
        "elfowl/porch/cam/front/status",
    ]
    assert [a.topic for a in setting.availability] == ["elfowl/porch/available"]


def test_documents_without_cloud_have_no_offload_switch() -> None:
    assert not any("offload-camera" in topic for topic in documents(CameraEntity("front", ())))


NAMES = st.text("ab-_", min_size=1, max_size=4)
SLUGS = st.sampled_from(["a", "count", "camera", "occupancy", "a_b"])
CAMERAS = st.lists(
    st.builds(
        CameraEntity,
        NAMES,
        st.lists(st.builds(LabelEntity, SLUGS, SLUGS), unique_by=lambda label: label.slug).map(tuple),
        st.booleans(),
    ),
    unique_by=lambda camera: camera.name,
    max_size=4,
)


@given(CAMERAS)
def test_documents_no_two_share_topic_or_unique_id(cameras: list[CameraEntity]) -> None:
    found = discovery_documents(Topics("a-b"), DEVICE, cameras)
    assert len({topic for topic, _ in found}) == len(found)
    entities = [config for _, config in found if isinstance(config, HaEntity)]
    assert len({entity.unique_id for entity in entities}) == len(entities)


def test_state_topics_are_all_retained() -> None:
    found = state_topics(Topics("porch"), [CAMERA])
    specs = [match_topic(topic) for topic in found]
    assert len(found) == 2 + 2 + 4 + 3
    assert all(spec is not None and spec.retained for spec in specs)
