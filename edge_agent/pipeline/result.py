"""What goes into the pipeline beside pictures, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_agent.camera.frame import Frame
from edge_agent.pipeline.cadence import LookSettings
from edge_agent.pipeline.decide import OffloadPermit, OffloadSettings
from edge_agent.pipeline.events import EventSettings, SeenObject
from edge_agent.pipeline.gate import GateDecision, GateSettings
from edge_agent.pipeline.track import TrackSettings
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Detection
from edge_agent.wire.event import Event, OffloadReason


@dataclass(frozen=True)
class PipelineSettings:
    """Settings of all parts of one camera's pipeline."""

    gate: GateSettings = field(default_factory=GateSettings)
    look: LookSettings = field(default_factory=LookSettings)
    track: TrackSettings = field(default_factory=TrackSettings)
    events: EventSettings = field(default_factory=EventSettings)
    offload: OffloadSettings = field(default_factory=OffloadSettings)


@dataclass(frozen=True)
class Conditions:
    """What the pipeline cannot know by itself about this moment.

    Attributes:
        hot: The device is too hot for its detector.
        behind: The detector cannot keep up with the camera.
        explicit: Somebody asks the cloud about this picture.
        permit: Whether pictures may go to the cloud.
    """

    hot: bool = False
    behind: bool = False
    explicit: bool = False
    permit: OffloadPermit = field(default_factory=OffloadPermit)


@dataclass(frozen=True)
class OffloadWanted:
    """A question for the cloud; give it back with the answer.

    Attributes:
        reason: Why.
        frame: The picture.
        crop: The part of it to send.
        track_numbers: Things that the question is about.
        event_id: The event of the first of them, if it was told of.
    """

    reason: OffloadReason
    frame: Frame
    crop: XyxyNorm = WHOLE
    track_numbers: tuple[int, ...] = ()
    event_id: str | None = None


@dataclass(frozen=True)
class SnapshotCandidate:
    """A picture worth keeping for an event; blurring and JPEG are the reporter's work."""

    event_id: str
    label: str
    score: float
    box: XyxyNorm
    rgb: Rgb


@dataclass(frozen=True)
class PipelineResult:
    """What one picture, or one answer of the cloud, brought.

    Attributes:
        events: To be sent, in this order.
        detections: All that the detector saw in this picture, weak scores too; empty when it did not look.
        in_view: Things that count as seen now, also while nothing moves.
        counts: How many of each label, by slug.
        offload_wanted: A question for the cloud.
        snapshots: Pictures for new and improved events.
        gate: What the motion gate said; none for an answer of the cloud.
        inferred: The camera's own detector ran.
    """

    events: tuple[Event, ...] = ()
    detections: tuple[Detection, ...] = ()
    in_view: tuple[SeenObject, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    offload_wanted: OffloadWanted | None = None
    snapshots: tuple[SnapshotCandidate, ...] = ()
    gate: GateDecision | None = None
    inferred: bool = False
