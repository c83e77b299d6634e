"""Home Assistant MQTT discovery, one config per entity (`homeassistant/<component>/<node>/<object>/config`).

Keys as Home Assistant's MQTT integration reads them; both `object_id` and `default_entity_id` are sent,
because cores up to 2025 read the first and newer ones the second.
"""

from __future__ import annotations

from typing import Literal

from edge_agent.wire.base import Document

Component = Literal["binary_sensor", "sensor", "image", "event", "switch", "number", "update"]


class HaDevice(Document):
    """The device that an entity belongs to."""

    identifiers: tuple[str, ...]
    name: str
    manufacturer: str = "elfowl"
    model: str | None = None
    sw_version: str | None = None
    via_device: str | None = None


class HaOrigin(Document):
    """Who published the config."""

    name: str = "elfowl"
    sw_version: str | None = None


class HaAvailability(Document):
    """A topic that must say `online`."""

    topic: str
    payload_available: str = "online"
    payload_not_available: str = "offline"


class HaEntity(Document):
    """Config of one entity; keys that do not apply to its component are left out."""

    name: str | None
    unique_id: str
    object_id: str
    default_entity_id: str
    device: HaDevice
    origin: HaOrigin = HaOrigin()
    availability: tuple[HaAvailability, ...]
    availability_mode: Literal["all"] = "all"
    qos: int = 1
    state_topic: str | None = None
    command_topic: str | None = None
    json_attributes_topic: str | None = None
    image_topic: str | None = None
    content_type: str | None = None
    event_types: tuple[str, ...] | None = None
    value_template: str | None = None
    payload_on: str | None = None
    payload_off: str | None = None
    payload_install: str | None = None
    device_class: str | None = None
    state_class: str | None = None
    unit_of_measurement: str | None = None
    entity_category: str | None = None
    icon: str | None = None
    min: float | None = None
    max: float | None = None
    step: float | None = None
    mode: str | None = None

    def to_json(self) -> str:
        """Return the config without the keys that do not apply; `name` stays even when null."""
        keep = {"name"} | {key for key, value in self if value is not None}
        return self.model_dump_json(include=keep)
