"""Home Assistant MQTT discovery: one config per entity, or one document for the whole device.

Keys as Home Assistant's MQTT integration reads them. Both `object_id` and `default_entity_id` are sent,
because cores up to 2025 read the first and newer ones the second. A key without a value is left out: `null`
makes Home Assistant refuse the entity.
"""

from __future__ import annotations

from typing import Any, Literal

from edge_agent.wire.base import Document

Component = Literal[
    "binary_sensor", "sensor", "image", "event", "switch", "number", "update", "device_automation"
]


class HaDocument(Document):
    """Base of what is said to Home Assistant."""

    def to_json(self) -> str:
        """Return the config without the keys that do not apply."""
        return self.model_dump_json(exclude_none=True)


class HaDevice(HaDocument):
    """The device that an entity belongs to."""

    identifiers: tuple[str, ...]
    name: str
    manufacturer: str = "elfowl"
    model: str | None = None
    sw_version: str | None = None
    via_device: str | None = None


class HaOrigin(HaDocument):
    """Who published the config."""

    name: str = "elfowl"
    sw_version: str | None = None


class HaAvailability(HaDocument):
    """A topic that must say `online`."""

    topic: str
    payload_available: str = "online"
    payload_not_available: str = "offline"


class HaKeys(HaDocument):
    """What an entity of any component may say of itself; keys that do not apply are left out."""

    name: str
    unique_id: str
    object_id: str
    default_entity_id: str
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


class HaEntity(HaKeys):
    """Config of one entity: `homeassistant/<component>/<device>/<object>/config`."""

    device: HaDevice
    origin: HaOrigin = HaOrigin()


class HaTrigger(HaDocument):
    """A moment that automations start from: `homeassistant/device_automation/<device>/<object>/config`."""

    automation_type: Literal["trigger"] = "trigger"
    topic: str
    type: str
    subtype: str
    payload: str
    value_template: str
    qos: int = 1
    device: HaDevice
    origin: HaOrigin = HaOrigin()


class HaDeviceDocument(HaDocument):
    """All entities of a device in one document: `homeassistant/device/<id>/config`; core 2024.12 and later.

    An unknown key beside these three makes Home Assistant refuse all of it. A component that goes is sent
    once with nothing but its `platform`.
    """

    device: HaDevice
    origin: HaOrigin
    components: dict[str, dict[str, Any]]


HaConfig = HaEntity | HaTrigger
