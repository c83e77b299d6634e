"""What Home Assistant is told about a device: which entities and triggers there are. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.wire.homeassistant import (
    Component,
    HaAvailability,
    HaConfig,
    HaDevice,
    HaEntity,
    HaOrigin,
    HaTrigger,
)
from edge_agent.wire.status import FEATURES
from edge_agent.wire.topics import Topics

_OCCUPIED = "{{ 'ON' if value | int(0) > 0 else 'OFF' }}"
_SWITCHES = (
    ("detect", "Detect", "mdi:eye"),
    ("snapshots", "Snapshots", "mdi:camera"),
    ("offload", "Ask the cloud", "mdi:cloud"),
)


@dataclass(frozen=True)
class LabelEntity:
    """One label that a camera reports."""

    name: str
    slug: str


@dataclass(frozen=True)
class CameraEntity:
    """One camera and what it reports; `can_offload` says whether there is a cloud to ask."""

    name: str
    labels: tuple[LabelEntity, ...]
    can_offload: bool = False


@dataclass(frozen=True)
class DeviceEntity:
    """The device that all entities belong to."""

    agent_version: str
    profile: str
    temperature: bool = False


def discovery_documents(
    topics: Topics, device: DeviceEntity, cameras: Sequence[CameraEntity]
) -> list[tuple[str, HaConfig]]:
    """Return every entity and trigger as (retained topic, config).

    Args:
        topics: Names of the device's topics, and the discovery prefix.
        device: What the entities belong to.
        cameras: What they show; no two of the same name.
    """
    maker = _Maker(topics, device)
    entities: list[tuple[str, HaConfig]] = list(_device_entities(maker))
    for camera in cameras:
        entities += _camera_entities(maker, camera)
        for label in camera.labels:
            entities += _label_entities(maker, camera.name, label)
            entities += _label_triggers(maker, camera.name, label)
    return entities


def state_topics(topics: Topics, cameras: Sequence[CameraEntity]) -> list[str]:
    """Return every retained topic on which the device says how something stands."""
    of_cameras = [topics.camera(camera.name, leaf) for camera in cameras for leaf in ("status", "detail")]
    of_settings = [topics.switch(camera.name, name, "state") for camera in cameras for name in FEATURES]
    of_labels = [
        topics.label(camera.name, label.slug, leaf)
        for camera in cameras
        for label in camera.labels
        for leaf in (None, "attributes", "snapshot")
    ]
    return [topics.available, topics.detector_state, *of_cameras, *of_settings, *of_labels]


class _Maker:
    """Fills in what all entities of a device have in common."""

    def __init__(self, topics: Topics, device: DeviceEntity) -> None:
        self.topics = topics
        self.device = device
        self._ha_device = HaDevice(
            identifiers=(f"elfowl:{topics.device}",),
            name=topics.device,
            model=device.profile,
            sw_version=device.agent_version,
        )
        self._origin = HaOrigin(sw_version=device.agent_version)

    def make(
        self,
        component: Component,
        kind: str,
        name: str,
        *,
        camera: str | None = None,
        slug: str | None = None,
        **keys: Any,  # noqa: ANN401 - fields of HaEntity
    ) -> tuple[str, HaEntity]:
        """Return one entity; (camera, kind, slug) makes it unique on the device."""
        # Kinds and slugs have no "-", so no two triples give the same id, whatever a camera is called.
        node = kind if camera is None else f"{camera}-{kind}-{slug or 'camera'}"
        readable = "_".join(part for part in (self.topics.device, camera, slug, kind) if part)
        object_id = readable.lower().replace("-", "_")
        available = [self.topics.available]
        if camera is not None and component not in {"switch", "number"} and kind != "reason":
            available.append(self.topics.camera(camera, "status"))
        entity = HaEntity(
            name=name,
            unique_id=f"elfowl:{self.topics.device}:{node}",
            object_id=object_id,
            default_entity_id=f"{component}.{object_id}",
            device=self._ha_device,
            origin=self._origin,
            availability=tuple(HaAvailability(topic=topic) for topic in available),
            **keys,
        )
        return self.topics.discovery(component, node), entity

    def make_trigger(
        self, camera: str, label: LabelEntity, event_type: str, kind: str
    ) -> tuple[str, HaTrigger]:
        """Return the moment at which an event of a label begins or ends."""
        trigger = HaTrigger(
            topic=self.topics.camera(camera, "event"),
            type=kind,
            subtype=f"{camera} {label.name}",
            payload=f"{event_type} {label.slug}",
            value_template="{{ value_json.event_type ~ ' ' ~ value_json.label }}",
            device=self._ha_device,
            origin=self._origin,
        )
        return self.topics.discovery("device_automation", f"{camera}-{kind}-{label.slug}"), trigger


def _device_entities(maker: _Maker) -> Iterator[tuple[str, HaEntity]]:
    topics = maker.topics
    yield maker.make(
        "update",
        "detector",
        "Detector",
        state_topic=topics.detector_state,
        command_topic=topics.detector_set,
        payload_install="install",
        entity_category="config",
    )
    sensors: list[tuple[str, str, dict[str, Any]]] = [
        ("rss_bytes", "Memory", {"device_class": "data_size", "unit_of_measurement": "B"}),
        ("spool_depth", "Events waiting", {"icon": "mdi:tray-full"}),
        ("offload_answers", "Cloud answers", {"icon": "mdi:cloud-check", "state_class": "total_increasing"}),
        ("uptime_s", "Uptime", {"device_class": "duration", "unit_of_measurement": "s"}),
    ]
    if maker.device.temperature:
        sensors.append(
            ("temperature_c", "Temperature", {"device_class": "temperature", "unit_of_measurement": "°C"})
        )
    for key, name, keys in sensors:
        yield _diagnostic(maker, key, name, f"{{{{ value_json.{key} }}}}", **keys)


def _camera_entities(maker: _Maker, camera: CameraEntity) -> Iterator[tuple[str, HaEntity]]:
    topics, name = maker.topics, camera.name
    yield maker.make(
        "event",
        "detections",
        f"{name} detections",
        camera=name,
        state_topic=topics.camera(name, "event"),
        event_types=("new", "update", "end"),
        icon="mdi:motion-sensor",
    )
    for feature, title, icon in _SWITCHES:
        if feature != "offload" or camera.can_offload:
            yield _switch(maker, name, feature, f"{name} {title.lower()}", icon)
    yield maker.make(
        "number",
        "threshold",
        f"{name} threshold",
        camera=name,
        **_setting(topics, name, "threshold"),
        min=0.0,
        max=1.0,
        step=0.01,
        mode="slider",
    )
    yield maker.make(
        "sensor",
        "reason",
        f"{name} status",
        camera=name,
        state_topic=topics.camera(name, "detail"),
        value_template="{{ value_json.reason[:250] }}",
        json_attributes_topic=topics.camera(name, "detail"),
        entity_category="diagnostic",
    )
    speeds: list[tuple[str, str, dict[str, Any]]] = [
        ("inference_ms_p50", "inference", {"device_class": "duration", "unit_of_measurement": "ms"}),
        ("fps_inferred", "pictures looked at", {"unit_of_measurement": "fps"}),
        ("fps_captured", "pictures captured", {"unit_of_measurement": "fps"}),
    ]
    for key, title, keys in speeds:
        template = f"{{{{ value_json.cameras['{name}'].{key} }}}}"
        yield _diagnostic(maker, key, f"{name} {title}", template, camera=name, **keys)


def _label_entities(maker: _Maker, camera: str, label: LabelEntity) -> Iterator[tuple[str, HaEntity]]:
    topics = maker.topics
    count, title = topics.label(camera, label.slug), f"{camera} {label.name}"
    attributes = topics.label(camera, label.slug, "attributes")
    yield maker.make(
        "binary_sensor",
        "occupancy",
        title,
        camera=camera,
        slug=label.slug,
        state_topic=count,
        value_template=_OCCUPIED,
        payload_on="ON",
        payload_off="OFF",
        device_class="occupancy",
        json_attributes_topic=attributes,
    )
    yield maker.make(
        "sensor",
        "count",
        f"{title} count",
        camera=camera,
        slug=label.slug,
        state_topic=count,
        state_class="measurement",
        icon="mdi:counter",
    )
    yield maker.make(
        "image",
        "picture",
        f"{title} picture",
        camera=camera,
        slug=label.slug,
        image_topic=topics.label(camera, label.slug, "snapshot"),
        content_type="image/jpeg",
    )


def _label_triggers(maker: _Maker, camera: str, label: LabelEntity) -> Iterator[tuple[str, HaTrigger]]:
    yield maker.make_trigger(camera, label, "new", "seen")
    yield maker.make_trigger(camera, label, "end", "gone")


def _setting(topics: Topics, camera: str, feature: str) -> dict[str, Any]:
    return {
        "state_topic": topics.switch(camera, feature, "state"),
        "command_topic": topics.switch(camera, feature, "set"),
        "entity_category": "config",
    }


def _switch(maker: _Maker, camera: str, feature: str, title: str, icon: str) -> tuple[str, HaEntity]:
    setting = _setting(maker.topics, camera, feature)
    return maker.make(
        "switch", feature, title, camera=camera, **setting, payload_on="ON", payload_off="OFF", icon=icon
    )


def _diagnostic(
    maker: _Maker,
    kind: str,
    name: str,
    template: str,
    *,
    camera: str | None = None,
    **keys: Any,  # noqa: ANN401 - fields of HaEntity
) -> tuple[str, HaEntity]:
    keys = {"state_class": "measurement"} | keys
    return maker.make(
        "sensor",
        kind,
        name,
        camera=camera,
        state_topic=maker.topics.stats,
        value_template=template,
        entity_category="diagnostic",
        **keys,
    )
