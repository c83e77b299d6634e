"""One stream's thread: newest picture → the camera's own pipeline → events; no database, no torch."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

import numpy as np

from cloud.store.streams import STREAM_DEVICE
from cloud.streams.book import DetectorKey, Held, Told, Wanted
from cloud.streams.gaps import Sight, SightLog
from cloud.streams.pace import Pace
from edge_agent.camera.capture import Capture, limits_at
from edge_agent.camera.frame import Frame, FrameSource
from edge_agent.camera.picture_source import PictureSource
from edge_agent.camera.sight import SightWatch
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError
from edge_agent.pipeline.cadence import SPARING
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.detector import Detector, LabelRule
from edge_agent.pipeline.events import CameraIdentity
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.result import PipelineResult, PipelineSettings, SnapshotCandidate
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import FrameSize
from edge_agent.wire.event import Event

_LOG = logging.getLogger(__name__)
_WAIT_S = 0.5
_JOIN_S = 10.0
_DELAYS = 300
_AGAIN_S = 10.0
# A change that came to rest need not be looked at in every picture.
_GATE = GateSettings(recent_s=0.4)
_SPREAD = 1.25
"""Streams that begin together, as after a restart, must not all ask for looks at the same moments."""

_BEING_OPENED = "not opened yet"


class StreamDetector(Detector, Protocol):
    """The detectors of a stream as one, and what they watch for."""

    @property
    def labels(self) -> Mapping[str, LabelRule]:
        """Return all labels, by slug."""
        ...


@dataclass(frozen=True)
class WatchPorts:
    """What a stream's thread works with.

    Attributes:
        open_frames: Opens a stream's address; errors as `open_source`.
        open_detector: Loads detectors; raises `ElfowlError`.
        small_jpeg: Makes the small picture of an event.
        told: Takes events.
        clock: Where times come from.
        rng: Spreads waits, makes ids.
    """

    open_frames: Callable[[Wanted], FrameSource]
    open_detector: Callable[[Sequence[DetectorKey]], StreamDetector]
    small_jpeg: Callable[[Rgb], bytes]
    told: Callable[[Held, Told], None]
    clock: Clock
    rng: Random


class StreamWatch:
    """Watches one stream until stopped; no failure of one picture ends it."""

    def __init__(self, held: Held, ports: WatchPorts, source: PictureSource | None = None) -> None:
        """Prepare; `start` begins. `source`: where pictures come from; none: the stream's address."""
        self._held, self._ports = held, ports
        self._wanted = held.wanted
        self._source = source or _capture(held.wanted, ports)
        identity = CameraIdentity(STREAM_DEVICE, held.wanted.name, held.epoch)
        self._pipeline = CameraPipeline(identity, None, {}, rng=ports.rng, settings=sparing(ports.rng))
        self._pipeline.set_snapshots(available=True, blurred=False)
        self._log = SightLog(ports.clock.now_s())
        self._news: queue.SimpleQueue[Wanted] = queue.SimpleQueue()
        self._news.put(held.wanted)
        self._detector: StreamDetector | None = None
        self._detectors: tuple[DetectorKey, ...] = ()
        self._blind: str | None = None
        self._applied_s = float("-inf")
        self._size = FrameSize(width_px=1, height_px=1)
        self._seq = self._looked = self._taken = 0
        self._delays_s: deque[float] = deque(maxlen=_DELAYS)
        self._pace = Pace()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stream-{held.wanted.name}", daemon=True)

    @property
    def wanted(self) -> Wanted:
        """Return what it was told last to watch."""
        return self._wanted

    def start(self) -> None:
        """Begin to read and look."""
        self._source.start()
        self._thread.start()

    def stop(self) -> None:
        """End all events and stop."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def end(self) -> None:
        """Begin to stop; `stop` waits for it."""
        self._stopping.set()

    def follow(self, wanted: Wanted) -> None:
        """Go on with other rules or detectors; from any thread."""
        self._wanted = wanted
        self._news.put(wanted)

    def sight(self) -> Sight:
        """Return how it is; what was over is told once."""
        return self._log.take()

    def delays_s(self) -> tuple[float, ...]:
        """Return how long after it was taken each of the last pictures was answered."""
        return tuple(self._delays_s)

    def figures(self) -> dict[str, float]:
        """Return pictures a second, how many were taken and looked at, and how late answers are, in ms."""
        health = self._source.health()
        delays = self.delays_s()
        found = {
            "fps": round(health.fps, 2),
            "pictures": float(self._taken),
            "looked": float(self._looked),
            "dropped": float(health.dropped),
            "reopened": float(health.reopened),
        }
        if delays:
            p50, p99 = np.percentile(delays, [50, 99])
            found |= {"delay_p50_ms": round(float(p50) * 1e3, 1), "delay_p99_ms": round(float(p99) * 1e3, 1)}
        return found

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except ElfowlError as error:
                self._log.trouble(str(error), self._ports.clock.now_s())
            except Exception as error:  # noqa: BLE001 - the next picture may be better
                _LOG.exception("stream %s: a picture could not be processed", self._wanted.name)
                reason = f"a picture could not be processed ({type(error).__name__})"
                self._log.trouble(reason, self._ports.clock.now_s())
                self._stopping.wait(_WAIT_S)
        self._end_all()
        self._source.close()

    def _turn(self) -> None:
        frame = self._source.latest(_WAIT_S)
        while not self._news.empty():
            self._apply(self._news.get())
        if frame is None:
            self._note_silence()
        elif self._blind is not None:
            self._log.trouble(self._blind, self._ports.clock.now_s())
            if self._ports.clock.monotonic_s() - self._applied_s >= _AGAIN_S:
                self._apply(self._wanted)
        else:
            self._look(frame)

    def _look(self, frame: Frame) -> None:
        self._size = FrameSize(width_px=frame.width_px, height_px=frame.height_px)
        result = self._pipeline.process(frame)
        self._tell(result)
        self._taken += 1
        self._looked += result.inferred
        answered_s, health = self._ports.clock.monotonic_s(), self._source.health()
        self._delays_s.append(answered_s - frame.monotonic_s)
        too_few = self._pace.note(answered_s, health.dropped)
        # Last: up to here all that was seen is told.
        self._log.looked(frame.time_s, too_few or health.reason)

    def _note_silence(self) -> None:
        health = self._source.health()
        if health.status == "offline" and health.reason != _BEING_OPENED:
            self._log.trouble(health.reason, self._ports.clock.now_s())
            self._end_all()

    def _apply(self, wanted: Wanted) -> None:
        """Take over rules, and detectors if they are others."""
        self._blind, self._applied_s = wanted.missing, self._ports.clock.monotonic_s()
        if self._detector is None or self._detectors != wanted.detectors:
            try:
                self._detector = self._ports.open_detector(wanted.detectors)
            except ElfowlError as error:
                self._blind = f"its detectors cannot be loaded: {error}"
                return
            self._detectors = wanted.detectors
        self._pipeline.use_detector(self._detector, _chosen(self._detector.labels, wanted.settings.labels))
        self._pipeline.set_threshold(wanted.settings.threshold)
        self._pipeline.set_rules(wanted.settings.rules)

    def _tell(self, result: PipelineResult) -> None:
        jpegs = small_pictures(result.snapshots, self._ports.small_jpeg)
        for event in result.events:
            self._tell_event(event, jpegs.get(event.id))

    def _tell_event(self, event: Event, jpeg: bytes | None) -> None:
        self._seq += 1
        by_cloud = event.model_copy(update={"answered_by": "cloud"})
        self._ports.told(self._held, Told(self._seq, by_cloud, jpeg))

    def _end_all(self) -> None:
        clock = self._ports.clock
        result = self._pipeline.end_all(
            time_s=clock.now_s(), monotonic_s=clock.monotonic_s(), size=self._size
        )
        for event in result.events:
            self._tell_event(event, None)


def sparing(rng: Random) -> PipelineSettings:
    """Return how streams are looked at: sparingly, and each in a beat of its own while it rests."""
    beat = rng.uniform(1.0 / _SPREAD, _SPREAD)
    look = replace(SPARING, rest_share=beat * SPARING.rest_share, unsure_share=beat * SPARING.unsure_share)
    return PipelineSettings(gate=_GATE, look=look)


def small_pictures(
    snapshots: Sequence[SnapshotCandidate], small_jpeg: Callable[[Rgb], bytes]
) -> dict[str, bytes]:
    """Return the small picture of each event, made once for all events of a picture."""
    made: dict[int, bytes] = {}
    for one in snapshots:
        if id(one.rgb) not in made:
            made[id(one.rgb)] = small_jpeg(one.rgb)
    return {one.event_id: made[id(one.rgb)] for one in snapshots}


def _chosen(labels: Mapping[str, LabelRule], chosen: Sequence[str]) -> dict[str, LabelRule]:
    """Return the labels that are chosen by slug or name; all when none is."""
    return {
        slug: rule for slug, rule in labels.items() if not chosen or slug in chosen or rule.name in chosen
    }


def _capture(wanted: Wanted, ports: WatchPorts) -> Capture:
    recorded = "://" not in wanted.address
    return Capture(
        lambda: ports.open_frames(wanted),
        name=wanted.name,
        clock=ports.clock,
        rng=ports.rng,
        limits=limits_at(wanted.settings.fps),
        watch=SightWatch(may_stand_still=recorded),
    )
