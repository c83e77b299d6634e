"""What Home Assistant, core 2024.12 to 2026.2, asks of a device document; one breach at root spoils all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_ROOT = {"device", "origin", "components"}
_DEVICE = {
    "identifiers", "connections", "name", "manufacturer", "model", "model_id", "sw_version", "hw_version",
    "serial_number", "configuration_url", "suggested_area", "via_device",
}  # fmt: skip
_ORIGIN = {"name", "sw_version", "support_url"}
_ENTITY = {
    "platform", "name", "unique_id", "object_id", "default_entity_id", "availability", "availability_mode",
    "qos", "icon", "entity_category", "json_attributes_topic",
}  # fmt: skip
_STATE = {"state_topic", "value_template"}
_COMMAND = {"state_topic", "command_topic"}
_MEASURES = {"device_class", "state_class", "unit_of_measurement"}
# Platform → (keys that it knows beside those of all, keys that it needs).
_PLATFORMS: dict[str, tuple[set[str], set[str]]] = {
    "binary_sensor": (_STATE | {"device_class", "payload_on", "payload_off"}, {"state_topic"}),
    "sensor": (_STATE | _MEASURES, {"state_topic"}),
    "image": ({"image_topic", "content_type"}, {"image_topic"}),
    "event": (_STATE | {"event_types", "device_class"}, {"state_topic", "event_types"}),
    "switch": (_COMMAND | {"payload_on", "payload_off"}, {"command_topic"}),
    "number": (_COMMAND | {"min", "max", "step", "mode"}, {"command_topic"}),
    "update": (_COMMAND | {"payload_install"}, {"state_topic"}),
}
_TRIGGER = {"platform", "automation_type", "topic", "type", "subtype", "payload", "value_template", "qos"}
_UNITS = {
    "duration": {"d", "h", "min", "s", "ms"},
    "temperature": {"°C", "°F", "K"},
    "data_size": {"bit", "B", "kB", "MB", "GB", "KiB", "MiB", "GiB"},
}
_MAX_BYTES = 1_000_000


def breaches(topic: str, payload: str) -> list[str]:
    """Return what Home Assistant would not like of a device document; empty: nothing."""
    return list(_breaches(topic, payload))


def _breaches(topic: str, payload: str) -> Iterator[str]:
    if not re.fullmatch(r".+/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config", topic):
        yield f"topic {topic}"
    if len(payload) > _MAX_BYTES:
        yield f"{len(payload)} bytes"
    document = json.loads(payload)
    yield from _nulls(document, "")
    yield from (f"root key {key}" for key in document.keys() ^ _ROOT)
    device, origin = document.get("device", {}), document.get("origin", {})
    yield from (f"device key {key}" for key in device.keys() - _DEVICE)
    yield from (f"origin key {key}" for key in origin.keys() - _ORIGIN)
    if not (device.get("identifiers") or device.get("connections")):
        yield "device is not identified"
    if not origin.get("name"):
        yield "origin has no name"
    ids = []
    for name, component in document.get("components", {}).items():
        ids.append(component.get("unique_id", name))
        yield from (f"{name}: {breach}" for breach in _of_component(component))
    yield from (f"unique_id {one} twice" for one in set(ids) if ids.count(one) > 1)


def _of_component(component: dict[str, Any]) -> Iterator[str]:
    platform = component.get("platform")
    if component.keys() == {"platform"}:
        return
    if platform == "device_automation":
        yield from (f"key {key}" for key in component.keys() ^ _TRIGGER)
        return
    if platform not in _PLATFORMS:
        yield f"platform {platform}"
        return
    known, needed = _PLATFORMS[platform]
    yield from (f"key {key}" for key in component.keys() - _ENTITY - known)
    yield from (f"lacks {key}" for key in (needed | {"unique_id", "qos"}) - component.keys())
    unit, device_class = component.get("unit_of_measurement"), component.get("device_class")
    if platform == "sensor" and device_class is not None and unit not in _UNITS[device_class]:
        yield f"unit {unit} of {device_class}"
    if not re.fullmatch(platform + r"\.[a-z0-9_]+", component.get("default_entity_id", "")):
        yield f"entity id {component.get('default_entity_id')}"
    if not all(source.get("topic") for source in component.get("availability", [{}])):
        yield "no availability"


def _nulls(value: object, where: str) -> Iterator[str]:
    if value is None:
        yield f"null at {where}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _nulls(inner, f"{where}/{key}")
