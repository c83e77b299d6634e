"""One camera watches the seeded footage; somebody calls each false alarm wrong once, or nobody does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.curing.seeds import FPS, Footage, Seed
from edge_agent.camera.frame import Frame
from edge_agent.pipeline.alike import Sight
from edge_agent.pipeline.boxes import iou
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.cure import CameraCure, CuredDetector, CureMemory
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.pipeline.detector import label_rules
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection, FrameSize
from edge_agent.wire.event import Event

TAP_AFTER_S = 2.0
_LABEL = "person"
_FLOOR = 0.1
_START_S = 1_800_000_000.0


class FrameClock:
    """Implements `edge_agent.clock.Clock`: the time of the picture that is looked at."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now_s(self) -> float:
        """Return UTC seconds."""
        return _START_S + self.at_s

    def monotonic_s(self) -> float:
        """Return seconds since the first picture."""
        return self.at_s

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.at_s += seconds


class Remembering:
    """A bundle that looks at each picture once, however often it is watched."""

    def __init__(self, detector: BundleDetector) -> None:
        self._detector = detector
        self._known: dict[int, list[Sight]] = {}

    def detect_sights(self, rgb: Rgb, *, min_score: float | None = None) -> list[Sight]:
        """Return what is seen; see `DescribingDetector`."""
        if id(rgb) not in self._known:
            self._known[id(rgb)] = self._detector.detect_sights(rgb, min_score=_FLOOR)
        return [s for s in self._known[id(rgb)] if s.detection.score >= (min_score or _FLOOR)]

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what is seen; see `Detector`."""
        return [sight.detection for sight in self.detect_sights(rgb, min_score=min_score)]


@dataclass
class Watched:
    """What came of one watch.

    `told` are the times that a false alarm was told, by its number; `found` of `there` labelled people were
    in view.
    """

    told: dict[int, int] = field(default_factory=dict)
    found: int = 0
    there: int = 0
    suppressed: int = 0
    ended_by_tap: int = 0


class Watch:
    """One camera with its own pipeline and memory."""

    def __init__(
        self,
        detector: Remembering,
        bundle: BundleDetector,
        footage: Footage,
        seeds: Sequence[Seed],
        *,
        taps: bool,
    ) -> None:
        """Prepare; `taps`: each false alarm is called wrong, the first time that it is told."""
        self._clock, self._memory = FrameClock(), CureMemory()
        self._cure = CameraCure(self._memory, "bench", self._clock)
        labels = {slug: rule for slug, rule in label_rules(bundle).items() if slug == _LABEL}
        self._pipeline = CameraPipeline(
            CameraIdentity("bench", "bench", "bench"),
            CuredDetector(detector, self._cure, labels),
            labels,
            rng=random.Random(0),  # noqa: S311 - ids of events
        )
        self._footage, self._seeds, self._taps = footage, seeds, taps
        height_px, width_px = footage.pictures[0].shape[:2]
        self._size = FrameSize(width_px=width_px, height_px=height_px)
        self._boxes = [seed.box(width_px, height_px) for seed in seeds]
        self._to_tap: list[tuple[float, str]] = []
        self._seeds_of: dict[str, int] = {}

    def run(self, pictures: Sequence[Rgb]) -> Watched:
        """Watch everything."""
        watched = Watched()
        for index, rgb in enumerate(pictures):
            at_s = self._clock.at_s = index / FPS
            self._tap(at_s, watched)
            result = self._pipeline.process(Frame(rgb, index, _START_S + at_s, at_s))
            if result.inferred:
                self._cure.note(result.in_view)
            for event in result.events:
                self._hear(event, at_s, watched)
            if index in self._footage.labels:
                people = [thing.box for thing in result.in_view]
                self._judge(index, people, watched)
        watched.suppressed = self._cure.suppressed
        return watched

    def _hear(self, event: Event, at_s: float, watched: Watched) -> None:
        number = self._seed_at(event.box, at_s)
        if event.event_type != "new" or number is None:
            return
        watched.told[number] = watched.told.get(number, 0) + 1
        if self._taps and watched.told[number] == 1:
            self._to_tap.append((at_s + TAP_AFTER_S, event.id))

    def _tap(self, at_s: float, watched: Watched) -> None:
        for due_s, event_id in [tap for tap in self._to_tap if tap[0] <= at_s]:
            self._to_tap.remove((due_s, event_id))
            self._memory.wrong(event_id)
            ended = self._pipeline.end_event(
                event_id, time_s=_START_S + at_s, monotonic_s=at_s, size=self._size
            )
            watched.ended_by_tap += any(event.end_reason == "corrected" for event in ended.events)

    def _judge(self, index: int, people: list[XyxyNorm], watched: Watched) -> None:
        left = [box for box in people if self._seed_at(box, index / FPS) is None]
        for label in self._footage.labels[index]:
            watched.there += 1
            best = max(left, key=lambda box: iou(box, label), default=None)
            if best is not None and iou(best, label) >= 0.5:
                watched.found += 1
                left.remove(best)

    def _seed_at(self, box: XyxyNorm, at_s: float) -> int | None:
        """Return the false alarm that a box shows, if one is there now."""
        near = [
            (iou(box, place), number)
            for number, place in enumerate(self._boxes)
            if self._seeds[number].turn(at_s) is not None
        ]
        best, number = max(near, default=(0.0, -1))
        return number if best >= 0.5 else None
