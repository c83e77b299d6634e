"""What a person gets to see of a try: lines, the preview page, an annotated file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.preview import Preview, PreviewState
from edge_agent.agent.tryout_record import Recording
from edge_agent.camera.frame import Frame
from edge_agent.camera.picture_source import PictureSource
from edge_agent.errors import ElfowlError
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.result import Conditions, PipelineResult
from edge_agent.wire.detection import Detection, FrameSize
from edge_agent.wire.event import Event

Say = Callable[[str], None]


class Spectator(Protocol):
    """Sees what the pipeline makes of each picture."""

    def see(self, frame: Frame, result: PipelineResult, rules: Mapping[str, LabelRule]) -> None:
        """Take one picture and what came of it."""
        ...

    def hear(self, events: Sequence[Event], rules: Mapping[str, LabelRule]) -> None:
        """Take events."""
        ...


class WatchedPipeline(CameraPipeline):
    """The camera's pipeline with somebody who looks on."""

    spectator: Spectator | None = None

    def process(self, frame: Frame, conditions: Conditions | None = None) -> PipelineResult:
        """Take the next picture; see `CameraPipeline.process`."""
        result = super().process(frame, conditions)
        if self.spectator is not None:
            self.spectator.hear(result.events, self.labels)
            self.spectator.see(frame, result, self.labels)
        return result

    def end_all(self, *, time_s: float, monotonic_s: float, size: FrameSize) -> PipelineResult:
        """End all events; see `CameraPipeline.end_all`."""
        result = super().end_all(time_s=time_s, monotonic_s=monotonic_s, size=size)
        if self.spectator is not None:
            self.spectator.hear(result.events, self.labels)
        return result


@dataclass
class _Tally:
    pictures: int = 0
    most_boxes: int = 0
    looked: int = 0
    events: int = 0


class TryView:
    """Tells and shows what happens; called from the camera's thread."""

    def __init__(
        self,
        shown: str,
        source: PictureSource,
        detector: LocalDetector,
        say: Say,
        *,
        recording: Recording | None = None,
        stop: threading.Event,
    ) -> None:
        """Begin.

        Args:
            shown: The source's name without its password.
            source: Tells how the camera is.
            detector: Tells how long a look takes.
            say: Takes lines for the person.
            recording: The annotated file.
            stop: Set when the file cannot be written any more.
        """
        self._shown = shown
        self._source = source
        self._detector = detector
        self._say = say
        self._recording = recording
        self._stop = stop
        self._tally = _Tally()
        self._failure: ElfowlError | None = None
        self.preview: Preview | None = None

    def see(self, frame: Frame, result: PipelineResult, rules: Mapping[str, LabelRule]) -> None:
        """Show one picture."""
        self._tally.pictures += 1
        self._tally.looked += result.inferred
        boxes = boxes_to_draw(result, rules)
        self._tally.most_boxes = max(self._tally.most_boxes, len(boxes))
        if self.preview is not None:
            counts = {rules[slug].name: count for slug, count in result.counts.items() if slug in rules}
            self.preview.show(frame.rgb, boxes, self.state(counts))
        if self._recording is not None and self._failure is None:
            try:
                self._recording.add(frame, boxes)
            except ElfowlError as error:
                self._failure = error
                self._stop.set()

    def hear(self, events: Sequence[Event], rules: Mapping[str, LabelRule]) -> None:
        """Tell of events."""
        for event in events:
            name = rules[event.label].name if event.label in rules else event.label
            line = event_line(event, name)
            self._tally.events += event.event_type == "new"
            if line is not None:
                self._say(line)
                if self.preview is not None:
                    self.preview.tell(line)

    def state(self, counts: Mapping[str, int] | None = None) -> PreviewState:
        """Return what the preview page shows beside the picture."""
        health, times = self._source.health(), self._detector.inference_ms()
        return PreviewState(self._shown, health.reason, counts or {}, health.fps, times and times[0])

    def raise_failure(self) -> None:
        """Raise what kept the annotated file from being written, if anything did."""
        if self._failure is not None:
            raise self._failure

    def summary(self) -> str:
        """Return one line about the whole try."""
        tally, times = self._tally, self._detector.inference_ms()
        speed = f", {times[0]:.0f} ms a look" if times else ""
        if tally.pictures == 1:
            # Events need more than one sight; a single picture has just what is in it.
            return f"{tally.most_boxes} seen in the picture{speed}"
        return f"{tally.events} seen in {tally.pictures} pictures; looked at {tally.looked}{speed}"


def boxes_to_draw(result: PipelineResult, rules: Mapping[str, LabelRule]) -> tuple[Detection, ...]:
    """Return what to draw: what was detected in this picture, or what still counts while nothing moves."""
    if result.inferred:
        found = [d for d in result.detections if d.label in rules and d.score >= rules[d.label].threshold]
    else:
        found = [Detection(label=t.label, score=t.score, box=t.box) for t in result.in_view]
    return tuple(
        d.model_copy(update={"label": rules[d.label].name}) if d.label in rules else d for d in found
    )


def event_line(event: Event, name: str) -> str | None:
    """Return one line about an event; updates are not worth one."""
    at = time.strftime("%H:%M:%S", time.localtime(event.frame_time))
    if event.event_type == "new":
        return f"{at}  {name} seen ({event.score:.0%})"
    if event.event_type == "end":
        return f"{at}  {name} gone after {max(0.0, event.frame_time - event.start_time):.0f} s"
    return None
