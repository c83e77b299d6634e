"""From followed things to events: `new` once confirmed, `update` when it matters, `end` when gone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.pipeline.attributes import told_nothing
from edge_agent.pipeline.boxes import iou
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.scene import Scene
from edge_agent.pipeline.still import SAME_PLACE_IOU, StillPlaces
from edge_agent.pipeline.track import Track
from edge_agent.pipeline.whereabouts import Whereabouts
from edge_agent.pipeline.zones import Zone
from edge_agent.wire.attributes import AttributeValue
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Answerer, DetectorRef, FrameSize
from edge_agent.wire.event import (
    Crossing,
    Event,
    EventClock,
    EventType,
    Loitering,
    SnapshotInfo,
    TrackSummary,
    Zones,
)

Rules = Callable[[Track], LabelRule]
Attributes = Callable[[Track], Mapping[str, AttributeValue]]


@dataclass(frozen=True)
class CameraIdentity:
    """Who speaks: device, camera, and the boot that monotonic seconds count from."""

    device: str
    camera: str
    boot_id: str


@dataclass(frozen=True)
class Moment:
    """A point in time and the size of the picture it belongs to."""

    time_s: float
    monotonic_s: float
    size: FrameSize

    def utc_s(self, monotonic_s: float) -> float:
        """Return UTC seconds of another monotonic moment of this boot."""
        return self.time_s + (monotonic_s - self.monotonic_s)


@dataclass(frozen=True)
class EventSettings:
    """When an event is sent, and sent again.

    Attributes:
        confirm_after_s: A thing must be followed for so long, so that a flicker in a quick stream is none.
        update_every_s: Least time between two events of one thing, but for a change of verdict.
        better_score: A top score better by this is worth an update.
        moved_iou: A box that overlaps the last sent one less than this has moved.
        moved_every_s: A move alone is told at most this often.
        denial_band: A score this far over its threshold outweighs an earlier denial by the cloud.
        snapshots: Pictures go with events.
        blurred: They are made unrecognisable.
    """

    confirm_after_s: float = 0.3
    update_every_s: float = 1.0
    better_score: float = 0.05
    moved_iou: float = 0.3
    moved_every_s: float = 5.0
    denial_band: float = 0.12
    snapshots: bool = True
    blurred: bool = True


@dataclass(frozen=True)
class SeenObject:
    """One thing that counts as seen now; `label` is its slug; without an id no event tells of it."""

    event_id: str | None
    label: str
    score: float
    box: XyxyNorm
    zones: tuple[str, ...]
    stationary: bool
    detector: DetectorRef
    answered_by: Answerer


@dataclass
class _Open:
    """What was told about a thing; it may count as seen while no event tells of it yet.

    `no_news_at` is where it stands still: an event that did not begin waits until it moves from there.
    """

    id: str
    rule: LabelRule
    start_time_s: float
    where: Whereabouts
    told: bool = False
    no_news_at: XyxyNorm | None = None
    top_score: float = 0.0
    at_best: bool = False
    sent_s: float = float("-inf")
    sent_box: XyxyNorm = (0.0, 0.0, 0.0, 0.0)
    sent_top: float = 0.0
    sent_state: tuple[object, ...] = ()


class EventBuilder:
    """Builds the events of one camera; every id is told as new, update …, end, in this order."""

    def __init__(
        self,
        identity: CameraIdentity,
        rng: random.Random,
        settings: EventSettings | None = None,
        zones: Sequence[Zone] = (),
    ) -> None:
        self._identity = identity
        self._rng = rng
        self.settings = settings or EventSettings()
        self.scene = Scene(zones=tuple(zones))
        """Zones, lines, and where events may begin."""
        self.quiet = False
        """No event begins and none is updated; those that began end."""
        self.waiting: frozenset[int] = frozenset()
        """Numbers of things that are not told of before the cloud has answered about them."""
        self.attributes: Attributes = told_nothing
        """What is known of a thing beside its label."""
        self._open: dict[int, _Open] = {}
        self._where: dict[int, Whereabouts] = {}
        self._still = StillPlaces()

    def step(self, tracks: Sequence[Track], gone: Sequence[Track], rules: Rules, now: Moment) -> list[Event]:
        """Return the events that one look brought.

        Args:
            tracks: Things followed now; those told of are marked `announced`.
            gone: Things given up by this look.
            rules: What is known of each label.
            now: The moment of the look.
        """
        events: list[Event] = []
        for track in gone:
            if (opened := self._open.get(track.number)) is not None:
                if track.stationary or opened.no_news_at is not None:
                    self._still.remember(track.label, track.box, track.last_s)
                events += self._end(track, now)
        self._follow(tracks)
        for track in tracks:
            events += self._tell(track, rules(track), now)
        return events

    def wants_look(self, at_s: float) -> bool:
        """Return whether something would loiter by now if it still is where it was last seen."""
        return any(opened.where.loiter_due(self.scene.zones, at_s) for opened in self._open.values())

    def in_view(self, tracks: Sequence[Track]) -> tuple[SeenObject, ...]:
        """Return everything that counts as seen, also while nothing moves."""
        return tuple(
            SeenObject(
                opened.id if opened.told else None, track.label, _score(track), track.box, opened.where.zones,
                track.stationary, _detector(track, opened.rule), _answerer(track),
            )
            for track in tracks
            if (opened := self._open.get(track.number)) is not None
        )  # fmt: skip

    def at_best(self) -> frozenset[str]:
        """Return the ids of the things that were never seen better than in the last picture."""
        return frozenset(opened.id for opened in self._open.values() if opened.at_best)

    def event_id(self, track: Track) -> str | None:
        """Return the id under which a thing was told of, if it was."""
        opened = self._open.get(track.number)
        return opened.id if opened and opened.told else None

    def _follow(self, tracks: Sequence[Track]) -> None:
        """Take the sights of everything followed, from the first one on."""
        self._where = {track.number: self._where.get(track.number) or Whereabouts() for track in tracks}
        for track in tracks:
            if track.misses == 0:
                self._where[track.number].see(
                    track.box, track.label, track.last_s, self.scene.zones, self.scene.lines
                )

    def _tell(self, track: Track, rule: LabelRule, now: Moment) -> list[Event]:
        opened = self._open.get(track.number)
        if track.cloud is not None and track.cloud.verdict == "denied":
            if not self._outweighs(track, rule):
                return self._end(track, now) if opened else []
            track.cloud = None
        if opened is None:
            if not (_confirmed_by_cloud(track) or self._is_confirmed(track, rule)):
                return []
            opened = self._begin(track, rule, now)
        elif track.misses:
            return []
        self._take_sight(track, opened)
        if not opened.told:
            return self._tell_first(track, opened, now)
        if not self.quiet and self._is_news(track, opened, now.monotonic_s):
            return [self._event("update", track, opened, now)]
        return []

    def _begin(self, track: Track, rule: LabelRule, now: Moment) -> _Open:
        """Count a thing as seen."""
        start_s, where = now.utc_s(track.first_s), self._where[track.number]
        opened = self._open[track.number] = _Open(self._new_id(now.time_s), rule, start_s, where)
        track.announced = True
        if self._still.knows(track.label, track.box, track.first_s, self.scene.still_again_s):
            opened.no_news_at = track.box
        return opened

    def _tell_first(self, track: Track, opened: _Open, now: Moment) -> list[Event]:
        """Return the first event about a thing, once there is reason for one."""
        place = opened.no_news_at
        if place is not None and iou(place, track.box) < SAME_PLACE_IOU:
            opened.no_news_at = None
        counts = self.scene.is_where_it_counts(track.label, opened.where.zones)
        if not self.quiet and counts and opened.no_news_at is None:
            opened.told = True
            return [self._event("new", track, opened, now)]
        if track.stationary and opened.no_news_at is None:
            opened.no_news_at = track.box
        return []

    def _is_confirmed(self, track: Track, rule: LabelRule) -> bool:
        old_enough = track.last_s - track.first_s >= self.settings.confirm_after_s
        may_be_told = old_enough and track.number not in self.waiting
        return may_be_told and track.middle >= rule.threshold

    def _outweighs(self, track: Track, rule: LabelRule) -> bool:
        return track.middle > rule.threshold + self.settings.denial_band

    def _take_sight(self, track: Track, opened: _Open) -> None:
        best_sight = max(track.scores)
        opened.at_best = track.score >= max(opened.top_score, best_sight)
        opened.top_score = max(opened.top_score, best_sight, _score(track))

    def _is_news(self, track: Track, opened: _Open, now_s: float) -> bool:
        settings, quiet_s = self.settings, now_s - opened.sent_s
        state = self._state(track, opened)
        if state[0] != opened.sent_state[0]:
            return True
        if quiet_s < settings.update_every_s:
            return False
        if state != opened.sent_state or opened.top_score >= opened.sent_top + settings.better_score:
            return True
        return quiet_s >= settings.moved_every_s and iou(track.box, opened.sent_box) < settings.moved_iou

    def _end(self, track: Track, now: Moment) -> list[Event]:
        opened = self._open.pop(track.number)
        track.announced = False
        return [self._event("end", track, opened, now)] if opened.told else []

    def _event(self, event_type: EventType, track: Track, opened: _Open, now: Moment) -> Event:
        opened.sent_s, opened.sent_box, opened.sent_top = now.monotonic_s, track.box, opened.top_score
        opened.sent_state = self._state(track, opened)
        seen_s = now.utc_s(track.last_s)
        return Event(
            event_type=event_type,
            id=opened.id,
            device=self._identity.device,
            camera=self._identity.camera,
            label=track.label,
            score=_score(track),
            top_score=opened.top_score,
            box=track.box,
            frame_size=now.size,
            zones=Zones(entered=tuple(opened.where.entered), current=opened.where.zones),
            loitering=self._loitering(opened, now),
            crossings=tuple(
                Crossing(line=crossed.line, towards=crossed.towards, time=now.utc_s(crossed.at_s))
                for crossed in opened.where.crossings
            ),
            start_time=opened.start_time_s,
            end_time=seen_s if event_type == "end" else None,
            frame_time=seen_s,
            track=TrackSummary(
                frames=track.sights, stationary=track.stationary, path_length_norm=track.motion.path_norm
            ),
            detector=_detector(track, opened.rule),
            answered_by=_answerer(track),
            offload_reason=track.cloud.reason if track.cloud else None,
            snapshot=SnapshotInfo(available=self.settings.snapshots, blurred=self.settings.blurred),
            attributes=dict(self.attributes(track)),
            clock=EventClock(boot_id=self._identity.boot_id, monotonic_s=now.monotonic_s),
        )

    def _state(self, track: Track, opened: _Open) -> tuple[object, ...]:
        """Return what is news when it changes: first what cannot wait, then what can."""
        verdict = track.cloud.verdict if track.cloud else None
        loitering = tuple(stay.zone for stay in opened.where.loitering(self.scene.zones))
        told = tuple((slug, known.value) for slug, known in self.attributes(track).items())
        urgent = verdict, loitering, opened.where.crossed
        return urgent, opened.where.zones, track.stationary, told

    def _loitering(self, opened: _Open, now: Moment) -> tuple[Loitering, ...]:
        return tuple(
            Loitering(zone=stay.zone, since=now.utc_s(stay.since_s))
            for stay in opened.where.loitering(self.scene.zones)
        )

    def _new_id(self, time_s: float) -> str:
        """Return an id that sorts by time: milliseconds since 1970, then chance."""
        return f"{max(0, int(time_s * 1000)):012x}-{self._rng.getrandbits(40):010x}"


def count_labels(labels: Mapping[str, LabelRule], seen: Sequence[SeenObject]) -> dict[str, int]:
    """Return how many of each label are in view, by slug; labels of which there are none too."""
    counts = Counter(thing.label for thing in seen)
    return {label: counts[label] for label in [*labels, *(c for c in counts if c not in labels)]}


def _confirmed_by_cloud(track: Track) -> bool:
    return track.cloud is not None and track.cloud.verdict == "confirmed"


def _score(track: Track) -> float:
    if track.cloud is not None and track.cloud.verdict == "confirmed":
        return track.cloud.score
    # The middle one, which the threshold is held against; one sight's score says little.
    return track.middle


def _answerer(track: Track) -> Answerer:
    return "cloud" if track.cloud else "local"


def _detector(track: Track, rule: LabelRule) -> DetectorRef:
    return track.cloud.detector if track.cloud else rule.detector
