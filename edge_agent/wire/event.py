"""The event: one thing seen by one camera, from its confirmation to its end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_agent.wire.attributes import AttributeValue
from edge_agent.wire.base import Document, Name, XyxyNorm
from edge_agent.wire.detection import Answerer, DetectorRef, FrameSize, Score
from edge_agent.wire.rules import Side

EventType = Literal["new", "update", "end"]
EndReason = Literal["corrected"]
OffloadReason = Literal["no_local_model", "unsure", "hot", "behind", "explicit"]


class Zones(Document):
    """Zones touched by the object."""

    entered: tuple[str, ...] = ()
    current: tuple[str, ...] = ()


class Loitering(Document):
    """A thing stays in a zone for longer than the zone's rule lets it."""

    zone: str
    since: float = Field(description="UTC seconds since 1970 at which it came into the zone")


class Crossing(Document):
    """A thing went over a line."""

    line: str
    towards: Side = Field(description="where it ended, seen from the line's start to its end")
    time: float = Field(description="UTC seconds since 1970")


class TrackSummary(Document):
    """How the object was followed."""

    frames: int = Field(ge=1, description="frames in which it was seen")
    stationary: bool = False
    path_length_norm: float = Field(0.0, ge=0.0, description="way of the box centre, in picture widths")


class SnapshotInfo(Document):
    """Whether a picture goes with the event, and whether it was made unrecognisable."""

    available: bool = False
    blurred: bool = True


class EventClock(Document):
    """Time that survives jumps of the wall clock: which boot, and seconds since it."""

    boot_id: str
    monotonic_s: float


class Event(Document):
    """State of one object at one moment; `new`, then `update`s, then `end`, all with the same `id`.

    `new` is sent once the object is confirmed, never for a blip. A cloud answer that changes the verdict
    comes as an `update` of the same event. `id` sorts by time.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    event_type: EventType
    id: str = Field(min_length=8, max_length=64)
    device: Name
    camera: Name
    label: str
    score: Score
    top_score: Score
    box: XyxyNorm
    frame_size: FrameSize
    zones: Zones = Zones()
    loitering: tuple[Loitering, ...] = Field((), description="zones in which it stays too long, now")
    crossings: tuple[Crossing, ...] = Field((), description="the last lines that it went over, oldest first")
    start_time: float = Field(description="UTC seconds since 1970")
    end_time: float | None = Field(None, description="UTC seconds since 1970, once ended")
    end_reason: EndReason | None = Field(
        None, description="`corrected`: somebody called it wrong; none: it is no longer seen"
    )
    frame_time: float = Field(description="UTC seconds since 1970 of the picture")
    track: TrackSummary
    detector: DetectorRef
    answered_by: Answerer
    offload_reason: OffloadReason | None = None
    snapshot: SnapshotInfo = SnapshotInfo()
    attributes: dict[str, AttributeValue] = Field(
        default={}, description="by slug; those that could not be told are missing"
    )
    clock: EventClock
