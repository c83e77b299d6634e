"""Events for tests."""

from __future__ import annotations

from edge_agent.report.spool import SpoolItem
from edge_agent.wire.detection import DetectorRef, FrameSize
from edge_agent.wire.event import Event, EventClock, EventType, TrackSummary
from edge_agent.wire.topics import Topics


def make_event(
    number: int = 1, *, camera: str = "front", event_type: EventType = "new", label: str = "person"
) -> Event:
    return Event(
        event_type=event_type,
        id=f"event-{number:06d}",
        device="porch",
        camera=camera,
        label=label,
        score=0.8,
        top_score=0.9,
        box=(0.1, 0.2, 0.3, 0.4),
        frame_size=FrameSize(width_px=640, height_px=360),
        start_time=1_800_000_000.0 + number,
        frame_time=1_800_000_000.0 + number,
        track=TrackSummary(frames=3),
        detector=DetectorRef(id="d1", name="persons", version=1, precision="int8"),
        answered_by="local",
        clock=EventClock(boot_id="boot", monotonic_s=float(number)),
    )


def make_item(number: int = 1, thumbnail: bytes | None = None) -> SpoolItem:
    event = make_event(number)
    return SpoolItem(Topics("porch").camera(event.camera, "event"), event.to_json(), thumbnail)
