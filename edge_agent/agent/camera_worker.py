"""One camera's thread: newest picture → pipeline → events, states, pictures."""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.agent.inbox import MakePicture
from edge_agent.agent.label_sights import count_still, sight_of
from edge_agent.agent.local_detector import LocalDetector
from edge_agent.agent.looks import LiveView
from edge_agent.agent.reporter import Reporter
from edge_agent.agent.settings import SettingsStore
from edge_agent.agent.shadow import Offer, ShadowTrial
from edge_agent.agent.throttle import Pace
from edge_agent.camera.frame import Frame
from edge_agent.camera.main_stream import MainStream
from edge_agent.camera.picture_source import PictureSource
from edge_agent.clock import Clock
from edge_agent.config import CameraConfig
from edge_agent.errors import ElfowlError
from edge_agent.pipeline.attributes import AttributeReader
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.cure import CameraCure, CuredDetector, CureMemory
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.events import SeenObject
from edge_agent.pipeline.result import Conditions, OffloadWanted, PipelineResult, SnapshotCandidate
from edge_agent.pipeline.scene import unknown_labels
from edge_agent.report.commands import RateLimitedLog
from edge_agent.report.keyframes import KeyFrames
from edge_agent.report.publisher import Publisher
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import FrameSize
from edge_agent.wire.offload import OffloadReply
from edge_agent.wire.rules import CameraRules
from edge_agent.wire.status import CameraDetail, CameraStats, LabelAttributes
from edge_agent.wire.sync import CameraSettings

if TYPE_CHECKING:
    from edge_agent.offload.client import OffloadClient

_log = logging.getLogger(__name__)

_WAIT_S = 0.5
_THUMBNAIL_BYTES = 60_000


@dataclass(frozen=True)
class CameraPorts:
    """What a camera's thread works with.

    Attributes:
        detector: The device's network.
        reporter: Takes events and states.
        settings: What people switched.
        offload: Asks the cloud; none when there is no cloud.
        keyframes: Keeps clear pictures on the camera; none when its disk fails.
        snapshot: Makes the small picture that may leave: (picture, boxes) → JPEG.
        keyframe_jpeg: Makes the clear picture that stays, of a JPEG quality.
        offload_detector: Returns which detector the cloud is to answer with: (id, version); none: none.
        is_hot: Returns whether the device is too hot for its network.
        clock: Where times come from.
        blurred: Small pictures are made unrecognisable, as events say.
        memory: What was called wrong.
        shadow: Tries a candidate beside what runs.
        beat: Told each time that the thread comes round.
        pace: Returns how often the camera may be looked at now.
        live: Shows the camera to who looks; none: its pictures never leave.
        main_stream: Keeps clips of events from the camera's fine stream; none: the camera names none.
    """

    detector: LocalDetector
    reporter: Reporter
    settings: SettingsStore
    offload: OffloadClient | None
    keyframes: KeyFrames | None
    snapshot: Callable[[Rgb, Float32], bytes]
    keyframe_jpeg: Callable[[Rgb, int], bytes]
    offload_detector: Callable[[], tuple[str, int | None] | None]
    is_hot: Callable[[], bool]
    clock: Clock
    blurred: bool = True
    memory: CureMemory = field(default_factory=CureMemory)
    shadow: ShadowTrial | None = None
    beat: Callable[[], None] = lambda: None
    pace: Callable[[], Pace] = Pace
    live: LiveView | None = None
    main_stream: MainStream | None = None


@dataclass
class _Counts:
    processed: int = 0
    looked: int = 0
    skipped: int = 0
    throttled: int = 0
    since_s: float = 0.0
    looked_then: int = 0


class CameraWorker:
    """Runs one camera until stopped; no failure of one picture ends it."""

    def __init__(
        self, config: CameraConfig, source: PictureSource, pipeline: CameraPipeline, ports: CameraPorts
    ) -> None:
        """Prepare; `start` begins."""
        self.name = config.name
        self._config = config
        self._source = source
        self._pipeline = pipeline
        self._ports = ports
        self._cure = CameraCure(ports.memory, config.name, ports.clock)
        self._answers: queue.SimpleQueue[tuple[OffloadWanted, OffloadReply]] = queue.SimpleQueue()
        self._corrected: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{config.name}", daemon=True)
        self._generation = -1
        self._applied: CameraSettings | None = None
        self._told: tuple[str, str] | None = None
        self._counts_told: dict[str, tuple[int, int]] = {}
        self._size = FrameSize(width_px=1, height_px=1)
        self._counts = _Counts(since_s=ports.clock.monotonic_s())
        self._failures = RateLimitedLog(ports.clock)
        self._taken_s = float("-inf")

    def start(self) -> None:
        """Begin to read and look."""
        self._source.start()
        self._thread.start()
        if self._ports.main_stream is not None:
            self._ports.main_stream.start()

    def stop(self) -> None:
        """End all events and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10.0)
        if self._ports.main_stream is not None:
            self._ports.main_stream.stop()
        self._source.close()

    def answer(self, wanted: OffloadWanted, reply: OffloadReply) -> None:
        """Take the cloud's answer; from any thread."""
        self._answers.put((wanted, reply))

    def correct(self, event_id: str) -> None:
        """End an event that somebody called wrong, if it is still open; from any thread."""
        self._corrected.put(event_id)

    def labels(self) -> dict[str, LabelRule]:
        """Return what this camera reports, by slug."""
        labels = self._ports.detector.labels()
        wanted = self._config.labels
        return {
            slug: rule for slug, rule in labels.items() if not wanted or slug in wanted or rule.name in wanted
        }

    def stats(self) -> CameraStats:
        """Return the camera's counters."""
        health, counts, now_s = self._source.health(), self._counts, self._ports.clock.monotonic_s()
        interval_s = max(now_s - counts.since_s, 1e-3)
        fps_inferred = (counts.looked - counts.looked_then) / interval_s
        counts.since_s, counts.looked_then = now_s, counts.looked
        times = self._ports.detector.inference_ms()
        return CameraStats(
            fps_captured=round(health.fps, 2),
            fps_inferred=round(fps_inferred, 2),
            frames_skipped=counts.skipped,
            frames_dropped=health.dropped,
            gate_ratio=round(counts.looked / counts.processed, 4) if counts.processed else 0.0,
            inference_ms_p50=times and round(times[0], 2),
            inference_ms_p99=times and round(times[1], 2),
            false_alarms=self._cure.remembered,
            suppressed=self._cure.suppressed,
            suppressed_boxes=self._cure.suppressed_boxes,
            frames_throttled=counts.throttled,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except ElfowlError as error:
                self._failures.warning(f"camera {self.name}: {error}")
            except Exception:  # noqa: BLE001 - the next picture may be better
                _log.exception("camera %s: a picture could not be processed", self.name)
                self._stopping.wait(_WAIT_S)
        self._end_all()

    def _turn(self) -> None:
        frame = self._within_pace(self._source.latest(_WAIT_S))
        self._ports.beat()
        self._tell_health()
        self._follow_changes()
        self._end_corrected()
        while not self._answers.empty():
            wanted, reply = self._answers.get()
            now = self._ports.clock
            result = self._pipeline.apply_offload(
                wanted, self._cure.judge(wanted, reply), time_s=now.now_s(), monotonic_s=now.monotonic_s()
            )
            self._handle(result, wanted.frame)
            self._cure.note(result.in_view)
        if frame is None:
            return
        self._size = FrameSize(width_px=frame.width_px, height_px=frame.height_px)
        settings = self._ports.settings.get(self.name)
        in_view: tuple[SeenObject, ...] = ()
        if settings.detect:
            result = self._pipeline.process(frame, self._conditions(settings))
            self._count(result)
            self._handle(result, frame)
            in_view = result.in_view
            if result.inferred:
                self._cure.note(in_view)
                self._offer_to_shadow(frame, result, settings)
        if self._ports.live is not None:
            self._ports.live.show(self.name, frame, in_view)

    def _within_pace(self, frame: Frame | None) -> Frame | None:
        """Return the picture, or none when it comes too soon for what memory and heat allow."""
        if frame is None:
            return None
        if frame.monotonic_s - self._taken_s < self._ports.pace().interval_s:
            self._counts.throttled += 1
            return None
        self._taken_s = frame.monotonic_s
        return frame

    def _offer_to_shadow(self, frame: Frame, result: PipelineResult, settings: CameraSettings) -> None:
        shadow = self._ports.shadow
        if shadow is not None and shadow.wants_pictures:
            wanted = self._config.labels
            shadow.offer(Offer(self.name, frame, result.detections, self.labels(), wanted, settings))

    def _conditions(self, settings: CameraSettings) -> Conditions:
        offload, ports = self._ports.offload, self._ports
        conditions = Conditions(hot=ports.is_hot(), behind=ports.detector.behind)
        if offload is None:
            return conditions
        allowed = settings.offload and ports.offload_detector() is not None
        permit = offload.permit(self.name, allowed=allowed)
        return Conditions(hot=conditions.hot, behind=conditions.behind, permit=permit)

    def _follow_changes(self) -> None:
        """Take over another detector or other settings."""
        detector, settings = self._ports.detector, self._ports.settings.get(self.name)
        if detector.generation != self._generation:
            self._generation = detector.generation
            rules = detector.attribute_rules
            labels = self.labels()
            self._pipeline.use_detector(
                CuredDetector(detector, self._cure, labels) if detector.ready else None,
                labels,
                AttributeReader(detector, rules) if rules else None,
            )
            self._applied = None
        if settings is self._applied or settings == self._applied:
            return
        was_on = self._applied is None or self._applied.detect
        self._pipeline.set_threshold(settings.threshold)
        self._follow_rules(settings.rules or CameraRules())
        self._pipeline.set_snapshots(available=settings.snapshots, blurred=self._ports.blurred)
        if was_on and not settings.detect:
            self._end_all()
        self._applied = settings

    def _follow_rules(self, rules: CameraRules) -> None:
        self._pipeline.set_rules(rules)
        labels = self.labels()
        if labels and (unknown := unknown_labels(rules, labels)):
            _log.warning(
                "camera %s: its rules name the label %r, which is not watched for; there are: %s",
                self.name, unknown[0], ", ".join(labels),
            )  # fmt: skip

    def _count(self, result: PipelineResult) -> None:
        self._counts.processed += 1
        self._counts.looked += result.inferred
        self._counts.skipped += result.gate is not None and not result.gate.look

    def _handle(self, result: PipelineResult, frame: Frame) -> None:
        self._ports.reporter.events(result.events, self._pictures(result))
        self._tell_labels(result)
        if result.offload_wanted is not None:
            self._ask(result.offload_wanted)
        self._keep_frames(result, frame)

    def _ask(self, wanted: OffloadWanted) -> None:
        target = self._ports.offload_detector()
        if self._ports.offload is not None and target is not None:
            from edge_agent.offload.client import Question  # noqa: PLC0415 - only with a cloud

            self._ports.offload.offer(Question(self.name, wanted, *target))

    def _keep_frames(self, result: PipelineResult, frame: Frame) -> None:
        keyframes, main_stream = self._ports.keyframes, self._ports.main_stream
        begun = tuple(event.id for event in result.events if event.event_type == "new")
        if main_stream is not None:
            for event_id in begun:
                main_stream.want(event_id, frame.time_s, frame.monotonic_s)
        if keyframes is None:
            return
        looked = result.inferred or result.offload_wanted is not None
        if begun or (looked and keyframes.due(self.name, frame.time_s)):
            # Encoding and encrypting takes longer than all of the above, and nobody waits for it.
            keep = partial(self._keep_frame, keyframes, frame.rgb, frame.time_s, begun)
            self._ports.reporter.afterwards(keep)

    def _keep_frame(self, keyframes: KeyFrames, rgb: Rgb, time_s: float, event_ids: tuple[str, ...]) -> None:
        """Keep a clear picture for each event, or one just in case; called in the reporter's thread."""
        jpeg = self._ports.keyframe_jpeg(rgb, keyframes.quality())
        for event_id in event_ids or (None,):
            keyframes.add(self.name, time_s, jpeg, event_id=event_id)

    def _pictures(self, result: PipelineResult) -> dict[str, MakePicture]:
        """Return what makes the small picture of each event that has one."""
        everybody = [thing.box for thing in result.in_view]
        return {
            candidate.event_id: partial(self._make_picture, candidate, everybody)
            for candidate in result.snapshots
        }

    def _make_picture(self, candidate: SnapshotCandidate, everybody: list[XyxyNorm]) -> bytes | None:
        """Return the small picture of an event, and show it at home; called in the reporter's thread."""
        jpeg = self._ports.snapshot(candidate.rgb, _boxes(candidate, everybody))
        if _is_slug(candidate.label):
            self._ports.reporter.publish(partial(_say_snapshot, self.name, candidate.label, jpeg))
        return jpeg if len(jpeg) <= _THUMBNAIL_BYTES else None

    def _tell_labels(self, result: PipelineResult) -> None:
        news = {event.label for event in result.events}
        for slug, count in result.counts.items():
            counted = count, count_still(slug, result.in_view) if count else 0
            if (self._counts_told.get(slug) == counted and slug not in news) or not _is_slug(slug):
                continue
            self._counts_told[slug] = counted
            rule = self._pipeline.labels.get(slug)
            attributes = sight_of(rule.name if rule else slug, slug, count, result.in_view)
            self._ports.reporter.publish(partial(_say_label, self.name, slug, attributes))

    def _tell_health(self) -> None:
        health = self._source.health()
        nobody_looks = health.status == "online" and self._ports.detector.generation == 0
        reason = "no detector yet" if nobody_looks else health.reason
        if (health.status, reason) == self._told:
            return
        self._told = (health.status, reason)
        detail = CameraDetail(
            status=health.status, reason=reason, since=health.since_s, reopened=health.reopened
        )
        self._ports.reporter.publish(lambda home: home.camera_status(self.name, detail))
        if health.status == "offline":
            self._end_all()

    def _end_corrected(self) -> None:
        while not self._corrected.empty():
            clock = self._ports.clock
            result = self._pipeline.end_event(
                self._corrected.get(), time_s=clock.now_s(), monotonic_s=clock.monotonic_s(), size=self._size
            )
            self._ports.reporter.events(result.events)
            self._tell_labels(result)

    def _end_all(self) -> None:
        clock = self._ports.clock
        result = self._pipeline.end_all(
            time_s=clock.now_s(), monotonic_s=clock.monotonic_s(), size=self._size
        )
        self._ports.reporter.events(result.events)
        self._tell_labels(result)


def _boxes(candidate: SnapshotCandidate, everybody: list[XyxyNorm]) -> Float32:
    return np.array([candidate.box, *everybody], np.float32).reshape(-1, 4)


def _is_slug(label: str) -> bool:
    """Return whether a label, which may come from the cloud, is fit for a topic."""
    return re.fullmatch(r"[a-z0-9_]{1,64}", label) is not None


def _say_snapshot(camera: str, slug: str, jpeg: bytes, home: Publisher) -> None:
    home.snapshot(camera, slug, jpeg)


def _say_label(camera: str, slug: str, attributes: LabelAttributes, home: Publisher) -> None:
    home.label(camera, slug, attributes)
