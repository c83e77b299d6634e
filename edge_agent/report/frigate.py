"""Says what elfowl sees on Frigate's topics too, so that automations written for Frigate work unchanged."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from edge_agent.report.discovery import CameraEntity
from edge_agent.report.protocol import Message
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import FrameSize
from edge_agent.wire.event import Event
from edge_agent.wire.frigate import (
    FRIGATE_FEATURES,
    BoxPx,
    FrigateEvent,
    FrigateObject,
    FrigateSnapshot,
    FrigateStats,
)
from edge_agent.wire.status import LabelAttributes, Stats
from edge_agent.wire.topics import Topics

_ALL = "all"
_MAX_OPEN = 1_000
_STEP_WIDTHS = 0.5


class Frigate:
    """Translates to and from Frigate's topics; remembers counts and how objects were before."""

    def __init__(self, prefix: str) -> None:
        """Begin with nothing seen."""
        self._prefix = prefix
        self._counts: dict[str, dict[str, int]] = {}
        self._objects: OrderedDict[str, FrigateObject] = OrderedDict()

    def subscriptions(self) -> tuple[str, ...]:
        """Return what to subscribe to."""
        return tuple(f"{self._prefix}/+/{feature}/set" for feature in FRIGATE_FEATURES)

    def own_topic(self, topics: Topics, topic: str) -> str:
        """Return elfowl's topic for a command on one of Frigate's; others stay."""
        head, _, rest = topic.rpartition(f"{self._prefix}/")
        parts = rest.split("/")
        if head or len(parts) != 3 or parts[2] != "set" or parts[1] not in FRIGATE_FEATURES:
            return topic
        return topics.switch(parts[0], parts[1], "set")

    def state_topics(self, cameras: Sequence[CameraEntity]) -> list[str]:
        """Return every topic of states, retained or not."""
        found = [f"{self._prefix}/available"]
        for camera in cameras:
            base = f"{self._prefix}/{camera.name}"
            slugs = [*(label.slug for label in camera.labels), _ALL]
            found += [f"{base}/{feature}/state" for feature in FRIGATE_FEATURES]
            found += [f"{base}/status/detect"]
            found += [f"{base}/{slug}{leaf}" for slug in slugs for leaf in ("", "/active", "/snapshot")]
        return found

    def available(self, word: str) -> Message:
        """Return whether there is anybody: `online`, or `stopped`."""
        return Message(f"{self._prefix}/available", word.encode(), retain=True)

    def status(self, camera: str, status: str) -> Message:
        """Return whether a camera gives pictures."""
        return Message(f"{self._prefix}/{camera}/status/detect", status.encode())

    def switch(self, camera: str, feature: str, value: str) -> list[Message]:
        """Return how a setting stands; nothing for one that Frigate does not have."""
        if feature not in FRIGATE_FEATURES:
            return []
        return [Message(f"{self._prefix}/{camera}/{feature}/state", value.encode(), retain=True)]

    def label(self, camera: str, slug: str, attributes: LabelAttributes) -> list[Message]:
        """Return how many of a label, and of all, are in view, and how many of them are active."""
        counts = self._counts.setdefault(camera, {})
        counts[slug] = attributes.count
        counts[f"{slug}/active"] = attributes.count - attributes.stationary
        found = []
        for leaf in ("", "/active"):
            of_all = sum(counts[name + leaf] for name in counts if "/" not in name)
            for name, count in ((slug, counts[slug + leaf]), (_ALL, of_all)):
                found.append(Message(f"{self._prefix}/{camera}/{name}{leaf}", str(count).encode()))
        return found

    def snapshot(self, camera: str, slug: str, jpeg: bytes) -> Message:
        """Return the last picture of a label."""
        return Message(f"{self._prefix}/{camera}/{slug}/snapshot", jpeg, qos=0, retain=True)

    def stats(self, stats: Stats) -> Message:
        """Return how the agent is."""
        return Message(f"{self._prefix}/stats", _stats(stats).to_json().encode(), qos=0)

    def event(self, document: str) -> Message | None:
        """Return what happened, with how it was before; none for a document that is no event."""
        try:
            event = Event.from_json(document)
        except ValueError:
            return None
        after = frigate_object(event)
        before = self._objects.pop(event.id, after)
        if event.event_type != "end":
            self._objects[event.id] = after
        while len(self._objects) > _MAX_OPEN:
            self._objects.popitem(last=False)
        told = FrigateEvent(type=event.event_type, before=before, after=after)
        return Message(f"{self._prefix}/events", told.to_json().encode(), qos=0)


def frigate_object(event: Event) -> FrigateObject:
    """Return an event's object as Frigate would tell of it."""
    size = event.frame_size
    box = _pixels(event.box, size)
    width_px, height_px = max(box[2] - box[0], 1), max(box[3] - box[1], 1)
    region = (0, 0, size.width_px, size.height_px)
    snapshot = FrigateSnapshot(
        frame_time=event.frame_time, box=box, area=width_px * height_px, region=region, score=event.score
    )
    stationary = event.track.stationary
    return FrigateObject(
        id=event.id,
        camera=event.camera,
        frame_time=event.frame_time,
        snapshot=snapshot if event.snapshot.available else None,
        label=event.label,
        top_score=event.top_score,
        start_time=event.start_time,
        end_time=event.end_time,
        score=event.score,
        box=box,
        area=width_px * height_px,
        ratio=round(width_px / height_px, 2),
        region=region,
        active=not stationary,
        stationary=stationary,
        motionless_count=event.track.frames if stationary else 0,
        position_changes=int(event.track.path_length_norm / _STEP_WIDTHS),
        attributes={f"{slug}: {told.value}": told.score for slug, told in event.attributes.items()},
        current_zones=event.zones.current,
        entered_zones=event.zones.entered,
        has_snapshot=event.snapshot.available,
    )


def _pixels(box: XyxyNorm, size: FrameSize) -> BoxPx:
    x1, y1, x2, y2 = box
    width_px, height_px = size.width_px, size.height_px
    return round(x1 * width_px), round(y1 * height_px), round(x2 * width_px), round(y2 * height_px)


def _stats(stats: Stats) -> FrigateStats:
    cameras = {
        name: {
            "camera_fps": camera.fps_captured,
            "process_fps": camera.fps_captured,
            "skipped_fps": 0.0,
            "detection_fps": camera.fps_inferred,
        }
        for name, camera in stats.cameras.items()
    }
    times_ms = [camera.inference_ms_p50 for camera in stats.cameras.values() if camera.inference_ms_p50]
    speed_ms = max(times_ms, default=0.0)
    return FrigateStats(
        cameras=cameras,
        detectors={"elfowl": {"inference_speed": speed_ms, "detection_start": 0.0}},
        detection_fps=round(sum(camera["detection_fps"] for camera in cameras.values()), 2),
        service={"uptime": int(stats.uptime_s), "version": stats.agent_version},
    )
