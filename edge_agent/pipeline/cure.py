"""The one-tap cure: what somebody called wrong is not told again, until another version of its detector runs.

A false alarm comes back because the same thing looks the same again, mostly at the same place. So each camera
remembers how the things of its last events looked. "Wrong" on an event makes its sights false alarms: later
boxes that look like them are taken out before they are followed. Nothing is trained, so it takes no time, and
no cloud.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from edge_agent.clock import Clock
from edge_agent.pipeline.alike import CureSettings, EventSights, Gallery, Sight, sights_on_picture
from edge_agent.pipeline.boxes import from_crop
from edge_agent.pipeline.detector import Detector, LabelRule
from edge_agent.pipeline.events import SeenObject
from edge_agent.pipeline.result import OffloadWanted
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.describe import CROP_SPACE
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.offload import OffloadReply

_Key = tuple[str, str, str, int]
"""Camera, label, id and version of the detector."""

_SAME_TIME_S = 10.0


@runtime_checkable
class DescribingDetector(Protocol):
    """A detector that also tells how each box looks."""

    def detect_sights(self, rgb: Rgb, *, min_score: float | None = None) -> list[Sight]:
        """Return what `Detector.detect` does, and how it looks; the same errors."""
        ...


def sights_of(detector: Detector, rgb: Rgb, min_score: float | None) -> list[Sight]:
    """Return what a detector sees, with how it looks.

    Raises:
        BackendError: The detector failed.
    """
    if isinstance(detector, DescribingDetector):
        return detector.detect_sights(rgb, min_score=min_score)
    return sights_on_picture(rgb, detector.detect(rgb, min_score=min_score))


class CureMemory:
    """What all cameras of a device remember; safe for many threads, and knows no disk."""

    def __init__(self, settings: CureSettings | None = None) -> None:
        """Begin with nothing."""
        self.settings = settings or CureSettings()
        self._lock = threading.Lock()
        self._events: OrderedDict[str, EventSights] = OrderedDict()
        self._false: OrderedDict[str, EventSights] = OrderedDict()
        self._galleries: dict[_Key, Gallery] = {}
        self.changes = self.corrections = 0
        """Grow with each sight or correction, and with each correction; for whoever keeps them on a disk."""

    def restore(self, events: Iterable[EventSights], false_alarms: Iterable[EventSights]) -> None:
        """Go on with what was kept."""
        with self._lock:
            self._events = OrderedDict((one.event_id, one) for one in events)
            self._false = OrderedDict((one.event_id, one) for one in false_alarms)
            self._make_room()
            self._galleries.clear()

    def kept(self) -> tuple[list[EventSights], list[EventSights]]:
        """Return what to keep over a restart: the last events, and the false alarms."""
        with self._lock:
            return [_copy(one) for one in self._events.values()], [_copy(one) for one in self._false.values()]

    def false_alarms(self, camera: str) -> int:
        """Return how many false alarms a camera remembers."""
        with self._lock:
            return sum(one.camera == camera for one in self._false.values())

    def note(self, camera: str, event_id: str, detector: DetectorRef, sight: Sight, at_s: float) -> None:
        """Remember how the thing of an event looks, should somebody say that it is wrong.

        Args:
            camera: Its name.
            event_id: Under which it was told.
            detector: Which detector told it.
            sight: The box of this picture.
            at_s: Monotonic seconds.
        """
        with self._lock:
            known = self._events.get(event_id) or EventSights(
                camera, event_id, sight.detection.label, detector.id, detector.version
            )
            if at_s - known.seen_s >= self.settings.sight_every_s:
                known.add(sight.detection.box, sight.looks, at_s, self.settings.sights_kept)
                self._events[event_id] = known
                self._events.move_to_end(event_id)
                self.changes += 1
                self._make_room()

    def is_due(self, event_id: str, at_s: float) -> bool:
        """Return whether another sight of an event would be kept at this moment."""
        with self._lock:
            known = self._events.get(event_id)
            return known is None or at_s - known.seen_s >= self.settings.sight_every_s

    def wrong(self, event_id: str) -> str | None:
        """Take an event for a false alarm from now on; return its camera, none when it is not known."""
        with self._lock:
            known = self._events.get(event_id) or self._false.get(event_id)
            if known is None:
                return None
            # A copy: what is still to be seen under this event belongs to nothing that anybody judged.
            self._false[event_id] = _copy(known)
            self._false.move_to_end(event_id)
            self._make_room()
            self._corrected()
            return known.camera

    def right(self, event_id: str) -> int:
        """Take back what was said of an event, and what would hide it; return how many are forgotten."""
        with self._lock:
            known = self._events.get(event_id)
            hiding = [
                one.event_id
                for one in self._false.values()
                if one.event_id == event_id or (known is not None and self._hides(one, known))
            ]
            for one in hiding:
                del self._false[one]
            if hiding:
                self._corrected()
            return len(hiding)

    def forget(self) -> int:
        """Forget all false alarms; return how many there were."""
        with self._lock:
            count = len(self._false)
            self._false.clear()
            if count:
                self._corrected()
            return count

    def hidden_by(self, camera: str, detector: DetectorRef, sight: Sight) -> str | None:
        """Return the false alarm of this camera and version of the detector that a box shows; none: none."""
        with self._lock:
            if not self._false:
                return None
            key = (camera, sight.detection.label, detector.id, detector.version)
            if key not in self._galleries:
                alike = [one for one in self._false.values() if _key(one) == key]
                self._galleries[key] = Gallery(alike, self.settings)
            return self._galleries[key].find(sight)

    def _hides(self, false_alarm: EventSights, event: EventSights) -> bool:
        if _key(false_alarm) != _key(event):
            return False
        gallery = Gallery([false_alarm], self.settings)
        return any(gallery.find(sight) is not None for sight in event.sights())

    def _corrected(self) -> None:
        self.changes += 1
        self.corrections += 1
        self._galleries.clear()

    def _make_room(self) -> None:
        while len(self._events) > self.settings.events_kept:
            self._events.popitem(last=False)
        while len(self._false) > self.settings.false_alarms_kept:
            self._false.popitem(last=False)


def _copy(one: EventSights) -> EventSights:
    return replace(one, boxes=list(one.boxes), looks=list(one.looks))


def _key(one: EventSights) -> _Key:
    return one.camera, one.label, one.detector_id, one.detector_version


class CameraCure:
    """One camera's part in the cure: takes false alarms out, and notes how the things of events look."""

    def __init__(self, memory: CureMemory, camera: str, clock: Clock) -> None:
        """Begin with nothing in view."""
        self._memory = memory
        self._camera = camera
        self._clock = clock
        self._sights: list[Sight] = []
        self._rgb: Rgb | None = None
        self._last_s: dict[str, float] = {}
        self.suppressed_boxes = 0
        """Boxes that were taken out since the start."""
        self.suppressed = 0
        """How often a false alarm came back and was not told."""

    @property
    def remembered(self) -> int:
        """Return how many false alarms this camera remembers."""
        return self._memory.false_alarms(self._camera)

    def take_out(
        self, sights: Sequence[Sight], detectors: Sequence[DetectorRef], rgb: Rgb
    ) -> list[Detection]:
        """Return what is left without the remembered false alarms, which are counted.

        Args:
            sights: Everything seen in one picture.
            detectors: Who saw each of them.
            rgb: The picture, `(h, w, 3) uint8`.
        """
        self._sights, self._rgb = [], rgb
        for sight, detector in zip(sights, detectors, strict=True):
            event_id = self._memory.hidden_by(self._camera, detector, sight)
            if event_id is None:
                self._sights.append(sight)
            else:
                self._count(event_id)
        return [sight.detection for sight in self._sights]

    def judge(self, wanted: OffloadWanted, reply: OffloadReply) -> OffloadReply:
        """Return the cloud's answer without the remembered false alarms."""
        whole = [d.model_copy(update={"box": from_crop(d.box, wanted.crop)}) for d in reply.detections]
        sights = sights_on_picture(wanted.frame.rgb, whole)
        rgb = wanted.frame.rgb
        kept = {id(d) for d in self.take_out(sights, [reply.detector] * len(sights), rgb)}
        left = tuple(d for d, moved in zip(reply.detections, whole, strict=True) if id(moved) in kept)
        return reply.model_copy(update={"detections": left})

    def note(self, in_view: Iterable[SeenObject]) -> None:
        """Remember how what is in view looked in the picture that `take_out` was last asked about."""
        now_s = self._clock.monotonic_s()
        by_box = {sight.detection.box: sight for sight in self._sights}
        for thing in in_view:
            sight = by_box.get(thing.box)
            if thing.event_id is None or sight is None or sight.detection.label != thing.label:
                continue
            if self._memory.is_due(thing.event_id, now_s):
                whole = self._with_picture(sight)
                self._memory.note(self._camera, thing.event_id, thing.detector, whole, now_s)
        self._sights, self._rgb = [], None

    def _with_picture(self, sight: Sight) -> Sight:
        """Return a sight with its look in the picture too: the cloud's answers are told by that alone."""
        if self._rgb is None or CROP_SPACE in sight.looks:
            return sight
        (on_picture,) = sights_on_picture(self._rgb, [sight.detection])
        return Sight(sight.detection, {**sight.looks, **on_picture.looks})

    def _count(self, event_id: str) -> None:
        now_s = self._clock.monotonic_s()
        self.suppressed_boxes += 1
        self.suppressed += now_s - self._last_s.get(event_id, float("-inf")) > _SAME_TIME_S
        self._last_s[event_id] = now_s


class CuredDetector:
    """A camera's detector that does not see what was called wrong; implements `Detector`."""

    def __init__(self, detector: Detector, cure: CameraCure, labels: Mapping[str, LabelRule]) -> None:
        """Join them; detections of labels that are not in `labels` are left out."""
        self._detector = detector
        self._cure = cure
        self._labels = dict(labels)

    def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
        """Return what the detector sees without the remembered false alarms; see `Detector.detect`."""
        seen = sights_of(self._detector, rgb, min_score)
        sights = [sight for sight in seen if sight.detection.label in self._labels]
        return self._cure.take_out(sights, [self._labels[s.detection.label].detector for s in sights], rgb)
