"""Makes events of what a detector saw in a recording, by the camera's own tracker; pure but for its state."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cloud.scan.look import sure
from cloud.store.scans import SCAN_DEVICE
from cloud.watch.kept import Seen
from edge_agent.camera.frame import Frame
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.events import CameraIdentity, EventSettings, SeenObject
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.result import PipelineSettings
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection, DetectorRef, FrameSize
from edge_agent.wire.event import Event, EventClock, SnapshotInfo, TrackSummary

_SETTINGS = PipelineSettings(gate=GateSettings(enabled=False), events=EventSettings(snapshots=False))


@dataclass(frozen=True)
class Scanned:
    """What is scanned: as which camera, and when it began, in UTC seconds since 1970."""

    scan_id: str
    camera: str
    began: float
    fps: float
    size: FrameSize


class Teller:
    """Follows what one detector sees in one recording; the same looks always make the same events."""

    def __init__(self, scanned: Scanned, rules: Mapping[str, LabelRule]) -> None:
        self._scanned = scanned
        self._answers = _Answers()
        identity = CameraIdentity(SCAN_DEVICE, scanned.camera, scanned.scan_id)
        rng = random.Random(scanned.scan_id)  # noqa: S311 - ids, the same each time
        self._pipeline = CameraPipeline(identity, self._answers, rules, rng=rng, settings=_SETTINGS)
        self._at_s = 0.0
        self.in_view: Sequence[SeenObject] = ()

    def tell(self, seen: Seen) -> list[Event]:
        """Take the next picture that was looked at, and return what it brought."""
        self._answers.now = list(seen.detections)
        self._at_s = seen.frame / self._scanned.fps
        size = self._scanned.size
        nothing = np.broadcast_to(np.uint8(0), (size.height_px, size.width_px, 3))
        result = self._pipeline.process(
            Frame(nothing, seen.frame, self._scanned.began + self._at_s, self._at_s)
        )
        self.in_view = result.in_view
        return [_by_cloud(event) for event in result.events]

    def end(self) -> list[Event]:
        """Return the ends of what is still there when the recording ends."""
        now_s = self._scanned.began + self._at_s
        result = self._pipeline.end_all(time_s=now_s, monotonic_s=self._at_s, size=self._scanned.size)
        return [_by_cloud(event) for event in result.events]


def glanced(scanned: Scanned, ref: DetectorRef, rules: Mapping[str, LabelRule], seen: Seen) -> list[Event]:
    """Return an event for each thing in one key frame, until the recording was gone through."""
    at_s = scanned.began + seen.frame / scanned.fps
    return [
        Event(
            event_type="end",
            id=f"{max(0, int(at_s * 1000)):012x}-g{number:04x}{scanned.scan_id[-8:]}",
            device=SCAN_DEVICE,
            camera=scanned.camera,
            label=one.label,
            score=one.score,
            top_score=one.score,
            box=one.box,
            frame_size=scanned.size,
            start_time=at_s,
            end_time=at_s,
            frame_time=at_s,
            track=TrackSummary(frames=1),
            detector=ref,
            answered_by="cloud",
            snapshot=SnapshotInfo(),
            clock=EventClock(boot_id=scanned.scan_id, monotonic_s=seen.frame / scanned.fps),
        )
        for number, one in enumerate(sure(seen.detections, rules))
    ]


class _Answers:
    """Stands for a detector that has looked already."""

    def __init__(self) -> None:
        self.now: list[Detection] = []

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:  # noqa: ARG002
        """Return what was seen."""
        return [one for one in self.now if one.score >= (min_score or 0.0)]


def _by_cloud(event: Event) -> Event:
    return event.model_copy(update={"answered_by": "cloud"})
