"""One camera's pipeline: gate, detect, decide, track, events. No network, no threads, no clock of its own."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from edge_agent.camera.frame import Frame
from edge_agent.errors import BackendError
from edge_agent.pipeline.attention import Attention
from edge_agent.pipeline.attributes import AttributeReader, told_nothing
from edge_agent.pipeline.boxes import from_crop, nearness
from edge_agent.pipeline.cadence import asks, foretold
from edge_agent.pipeline.decide import Situation, decide_offload, instead_of_local
from edge_agent.pipeline.detector import Detector, LabelRule, Sighting, look, rule_for
from edge_agent.pipeline.doubts import Doubts
from edge_agent.pipeline.events import CameraIdentity, EventBuilder, Moment, SeenObject, count_labels
from edge_agent.pipeline.gate import GateDecision, MotionGate
from edge_agent.pipeline.merge import plan_merge
from edge_agent.pipeline.part import is_cut_off, part_around
from edge_agent.pipeline.result import (
    Conditions,
    OffloadWanted,
    PipelineResult,
    PipelineSettings,
    SnapshotCandidate,
)
from edge_agent.pipeline.scene import scene_of
from edge_agent.pipeline.schedule import pause_at
from edge_agent.pipeline.track import CloudAnswer, Track, Tracker
from edge_agent.pipeline.zones import Zone
from edge_agent.wire.base import WHOLE
from edge_agent.wire.detection import Detection, DetectorRef, FrameSize
from edge_agent.wire.event import Event
from edge_agent.wire.offload import OffloadReply
from edge_agent.wire.rules import CameraRules, Pause

_log = logging.getLogger(__name__)

_LEAST_SCORE = 0.05
# Scores below this share of the lowest threshold are noise that even a followed thing gains nothing from.
_WEAK_SHARE = 0.6
# In box sizes.
_BESIDE = 1.0
_UNKNOWN_DETECTOR = DetectorRef(id="unknown", name="unknown", version=1)


class CameraPipeline:
    """Everything between a camera's pictures and its events; holds the state of one camera."""

    def __init__(
        self,
        identity: CameraIdentity,
        detector: Detector | None,
        labels: Mapping[str, LabelRule],
        *,
        rng: random.Random,
        settings: PipelineSettings | None = None,
        zones: Sequence[Zone] = (),
    ) -> None:
        """Begin with an empty scene.

        Args:
            identity: Whose events these are.
            detector: The camera's own detector; none when only the cloud can look.
            labels: What to watch for, by slug; detections of other labels are ignored.
            rng: For ids of events.
            settings: How each part works.
            zones: Named parts of the picture.
        """
        self._settings = settings or PipelineSettings()
        self._rules = dict(labels)
        self._own_rules = dict(labels)
        self._detector = detector
        self._gate = MotionGate(self._settings.gate)
        self._tracker = Tracker(self._birth_score, self._threshold, self._settings.track)
        self._events = EventBuilder(identity, rng, self._settings.events, zones)
        self._camera_rules: CameraRules | None = None
        self._camera_threshold: float | None = None
        self._whole_asked_s = float("-inf")
        self._attention = Attention(self._settings.look)
        self._doubts = Doubts(self._settings.offload)
        self._attributes: AttributeReader | None = None

    @property
    def labels(self) -> Mapping[str, LabelRule]:
        """Return what is watched for, with the thresholds in force."""
        return self._rules

    def use_detector(
        self,
        detector: Detector | None,
        labels: Mapping[str, LabelRule],
        attributes: AttributeReader | None = None,
    ) -> None:
        """Go on with another detector, and its second stage; things in view keep their events."""
        self._detector, self._own_rules = detector, dict(labels)
        self._apply_rules()
        self._attributes = attributes
        self._events.attributes = attributes.values if attributes else told_nothing

    def set_threshold(self, threshold: float | None) -> None:
        """Count things as seen from this score on, for all labels; none: as each detector recommends."""
        self._camera_threshold = threshold
        self._apply_rules()

    def set_rules(self, rules: CameraRules) -> None:
        """Go by other rules from the next picture on; things in view keep their events."""
        self._camera_rules = rules
        self._gate.settings = replace(self._gate.settings, forced_every_s=rules.look_every_s)
        self._gate.masks = tuple(mask.corners for mask in rules.motion_masks)
        self._apply_rules()

    def set_snapshots(self, *, available: bool, blurred: bool) -> None:
        """Say from now on whether pictures go with events."""
        self._events.settings = replace(self._events.settings, snapshots=available, blurred=blurred)

    def process(self, frame: Frame, conditions: Conditions | None = None) -> PipelineResult:
        """Take the next picture.

        Raises:
            BackendError: The detector failed; the scene stays as it was.
        """
        conditions = conditions or Conditions()
        self._doubts.note_picture()
        pause = self._pause(frame.time_s)
        if pause == "detection":
            gone = self._tracker.forget_all()
            return self._result(frame, events=self._events.step((), gone, self._rule, _moment(frame)))
        self._events.quiet = pause == "events"
        gate = self._is_worth_a_look(frame)
        situation = self._situation(frame, gate, conditions)
        if instead_of_local(situation) is not None and (
            self._detector is None or conditions.permit.reachable
        ):
            return self._leave_to_cloud(frame, gate, situation, conditions)
        if self._detector is None or not gate.look:
            wanted = self._ask(frame, situation, conditions, ())
            return self._result(frame, gate=gate, wanted=wanted)
        seen = self._detect(frame, self._detector, gate)
        step = self._tracker.update(seen.detections, frame.monotonic_s, tall=_tall(frame), parts=seen.parts)
        self._look_closer(frame, step.alive)
        self._events.waiting = frozenset()
        if conditions.permit.reachable:
            self._events.waiting = self._doubts.waiting(step.alive, frame.monotonic_s, self._own_threshold)
        events = self._events.step(step.alive, step.gone, self._rule, _moment(frame))
        unsure: Sequence[Track] = ()
        if conditions.permit.granted:
            unsure = self._doubts.among(step.alive, frame.monotonic_s, self._own_threshold)
        wanted = self._ask(frame, replace(situation, unsure=bool(unsure)), conditions, unsure)
        return self._result(
            frame, gate=gate, wanted=wanted, events=events, detections=seen.detections, inferred=True
        )

    def apply_offload(
        self, wanted: OffloadWanted, reply: OffloadReply, *, time_s: float, monotonic_s: float
    ) -> PipelineResult:
        """Take the cloud's answer, however late.

        Args:
            wanted: The question, as it came out of `process`.
            reply: The answer; its boxes refer to the part that was sent.
            time_s: UTC seconds now.
            monotonic_s: Monotonic seconds now.
        """
        if self._pause(time_s) == "detection":
            # Asked before the pause: what it says is nobody's business now.
            return self._result(wanted.frame)
        now = Moment(time_s, monotonic_s, _moment(wanted.frame).size)
        detections = self._usable(wanted, reply)
        if wanted.reason in {"unsure", "explicit"}:
            self._merge(wanted, reply.detector, detections)
            step_gone: Sequence[Track] = ()
        elif wanted.frame.monotonic_s < self._tracker.last_update_s:
            return self._result(wanted.frame)
        else:
            step_gone = self._take_whole(wanted, reply.detector, detections)
        events = self._events.step(self._tracker.tracks, step_gone, self._rule, now)
        return self._result(wanted.frame, events=events)

    def end_event(
        self, event_id: str, *, time_s: float, monotonic_s: float, size: FrameSize
    ) -> PipelineResult:
        """End an event that somebody called wrong, and follow its thing no longer."""
        wrong = [track for track in self._tracker.tracks if self._events.event_id(track) == event_id]
        for track in wrong:
            self._tracker.forget(track.number)
        tracks, now = self._tracker.tracks, Moment(time_s, monotonic_s, size)
        told = self._events.step(tracks, wrong, self._rule, now)
        events = [
            event.model_copy(update={"end_reason": "corrected"}) if event.id == event_id else event
            for event in told
        ]
        in_view = self._events.in_view(tracks)
        return PipelineResult(
            events=tuple(events), in_view=in_view, counts=count_labels(self._rules, in_view)
        )

    def end_all(self, *, time_s: float, monotonic_s: float, size: FrameSize) -> PipelineResult:
        """End the events of everything in view: the camera is switched off, or the agent stops."""
        gone = self._tracker.forget_all()
        events = self._events.step((), gone, self._rule, Moment(time_s, monotonic_s, size))
        return PipelineResult(events=tuple(events), counts=count_labels(self._rules, ()))

    def _detect(self, frame: Frame, detector: Detector, gate: GateDecision) -> Sighting:
        at_s, boxes = frame.monotonic_s, None
        if self._settings.look.parts and not self._events.wants_look(at_s):
            boxes = self._attention.boxes(gate, self._gate.stirred, self._tracker, at_s, _tall(frame))
        try:
            seen = look(detector, frame.rgb, boxes, self._least_score())
        except BackendError:
            self._gate.look_failed()
            raise
        self._attention.note(seen.parts, at_s)
        admitted = [d for d in seen.detections if d.label in self._rules and self._events.scene.admits(d)]
        return Sighting(admitted, seen.parts)

    def _is_worth_a_look(self, frame: Frame) -> GateDecision:
        at_s, looked_s, tracks = frame.monotonic_s, self._tracker.last_update_s, self._tracker.tracks
        look = self._settings.look
        asked = asks(tracks, at_s, looked_s, self._gate.moved_s, look) or self._events.wants_look(at_s)
        known = foretold(tracks, at_s, looked_s, self._events.scene, _tall(frame), look)
        return self._gate.decide(frame.brightness, at_s, asked=asked, foretold=known)

    def _look_closer(self, frame: Frame, tracks: Sequence[Track]) -> None:
        if self._attributes is None:
            return
        try:
            self._attributes.look(frame.rgb, tracks, frame.monotonic_s)
        except BackendError as error:
            # What things are is known; what they are like stays untold, which is no false word.
            _log.warning("attributes are not told: %s", error)

    def _apply_rules(self) -> None:
        if self._camera_rules is not None:
            self._events.scene = scene_of(self._camera_rules, self._own_rules)
        self._rules = self._events.scene.with_thresholds(self._own_rules, self._camera_threshold)

    def _pause(self, time_s: float) -> Pause | None:
        rules = self._camera_rules
        return pause_at(rules.schedules, time_s, rules.time_zone) if rules is not None else None

    def _rule(self, track: Track) -> LabelRule:
        known = track.cloud.detector if track.cloud else _UNKNOWN_DETECTOR
        return rule_for(self._rules, track.label, known)

    def _own_threshold(self, track: Track) -> float:
        return self._rule(track).threshold

    def _threshold(self, label: str) -> float:
        return rule_for(self._rules, label, _UNKNOWN_DETECTOR).threshold

    def _birth_score(self, label: str) -> float:
        return max(_LEAST_SCORE, self._threshold(label) - self._settings.track.birth_margin)

    def _least_score(self) -> float:
        lowest = min((rule.threshold for rule in self._rules.values()), default=0.5)
        return max(_LEAST_SCORE, _WEAK_SHARE * lowest)

    def _situation(self, frame: Frame, gate: GateDecision, conditions: Conditions) -> Situation:
        return Situation(
            has_local_model=self._detector is not None,
            worth_a_look=gate.look,
            hot=conditions.hot,
            behind=conditions.behind,
            explicit=conditions.explicit,
            since_whole_s=frame.monotonic_s - self._whole_asked_s,
        )

    def _leave_to_cloud(
        self, frame: Frame, gate: GateDecision, situation: Situation, conditions: Conditions
    ) -> PipelineResult:
        wanted = self._ask(frame, situation, conditions, ())
        if wanted is not None:
            self._whole_asked_s = frame.monotonic_s
        return self._result(frame, gate=gate, wanted=wanted)

    def _ask(
        self, frame: Frame, situation: Situation, conditions: Conditions, about: Sequence[Track]
    ) -> OffloadWanted | None:
        reason = decide_offload(situation, conditions.permit, self._settings.offload)
        if reason is None:
            return None
        part, shown = part_around([track.box for track in about]) if about else (WHOLE, ())
        about = [about[place] for place in shown]
        if reason == "unsure":
            self._doubts.note_question()
        for track in about:
            track.asked_s = frame.monotonic_s
        numbers = tuple(track.number for track in about)
        ids = [event_id for track in about if (event_id := self._events.event_id(track))]
        return OffloadWanted(reason, frame, part, numbers, ids[0] if ids else None)

    def _usable(self, wanted: OffloadWanted, reply: OffloadReply) -> list[Detection]:
        return [
            Detection(label=d.label, score=d.score, box=from_crop(d.box, wanted.crop))
            for d in reply.detections
            if (not self._rules or d.label in self._rules)
            and self._events.scene.admits(d)
            and d.score >= rule_for(self._rules, d.label, reply.detector).threshold
            and not is_cut_off(d.box, wanted.crop)
        ]

    def _merge(self, wanted: OffloadWanted, detector: DetectorRef, detections: Sequence[Detection]) -> None:
        asked_s = wanted.frame.monotonic_s
        plan = plan_merge(self._tracker.tracks, detections, asked_s, wanted.track_numbers)
        for track, detection in plan.confirmed:
            if not _is_about(wanted, track):
                continue
            track.cloud = CloudAnswer("confirmed", wanted.reason, detector, detection.score)
            if track.only_cloud_sees and asked_s > track.last_s:
                track.see(detection, asked_s, "cloud", self._settings.track, _tall(wanted.frame))
        for track in plan.denied:
            track.cloud = CloudAnswer("denied", wanted.reason, detector, 0.0)
            self._doubts.note_denial(track, asked_s)
        for detection in plan.missed:
            if not self._is_surely_new(detection, detector, wanted):
                continue
            track = self._tracker.adopt(detection, asked_s, by="cloud", tall=_tall(wanted.frame))
            track.cloud = CloudAnswer("confirmed", wanted.reason, detector, detection.score)

    def _is_surely_new(self, detection: Detection, detector: DetectorRef, wanted: OffloadWanted) -> bool:
        """Return whether something that nobody asked about is told of by one picture of the cloud's alone.

        In a crowd it nearly always is a thing that the camera follows beside it, or will see by itself.
        """
        if wanted.reason == "explicit":
            return True
        threshold = rule_for(self._rules, detection.label, detector).threshold
        if detection.score < threshold + self._settings.offload.adopt_margin:
            return False
        at_s, tall = wanted.frame.monotonic_s, _tall(wanted.frame)
        return not any(
            nearness(track.box_at(at_s), detection.box, tall, _BESIDE) > 0.0
            for track in self._tracker.tracks
            if track.label == detection.label
        )

    def _take_whole(
        self, wanted: OffloadWanted, detector: DetectorRef, detections: Sequence[Detection]
    ) -> Sequence[Track]:
        at_s = wanted.frame.monotonic_s
        step = self._tracker.update(detections, at_s, by="cloud", tall=_tall(wanted.frame))
        for track in step.alive:
            if track.misses == 0 and track.last_s == at_s:
                track.cloud = CloudAnswer("confirmed", wanted.reason, detector, track.score)
        return step.gone

    def _result(
        self,
        frame: Frame,
        *,
        gate: GateDecision | None = None,
        wanted: OffloadWanted | None = None,
        events: Sequence[Event] = (),
        detections: Sequence[Detection] = (),
        inferred: bool = False,
    ) -> PipelineResult:
        in_view = self._events.in_view(self._tracker.tracks)
        return PipelineResult(
            events=tuple(events),
            detections=tuple(detections),
            in_view=in_view,
            counts=count_labels(self._rules, in_view),
            offload_wanted=wanted,
            snapshots=self._snapshots(events, in_view, frame),
            gate=gate,
            inferred=inferred,
        )

    def _snapshots(
        self, events: Sequence[Event], in_view: Sequence[SeenObject], frame: Frame
    ) -> tuple[SnapshotCandidate, ...]:
        if not events or not self._events.settings.snapshots:
            return ()
        at_best = self._events.at_best()
        open_ids = {thing.event_id for thing in in_view}
        return tuple(
            SnapshotCandidate(e.id, e.label, e.score, e.box, frame.rgb)
            for e in events
            if e.id in open_ids and (e.event_type == "new" or e.id in at_best)
        )


def _moment(frame: Frame) -> Moment:
    size = FrameSize(width_px=frame.width_px, height_px=frame.height_px)
    return Moment(frame.time_s, frame.monotonic_s, size)


def _is_about(wanted: OffloadWanted, track: Track) -> bool:
    """Return whether an answer decides about a thing; what the camera told by itself needs no word of it."""
    asked = wanted.reason == "explicit" or track.number in wanted.track_numbers
    return asked or not track.announced or track.cloud is not None


def _tall(frame: Frame) -> float:
    return frame.height_px / frame.width_px
