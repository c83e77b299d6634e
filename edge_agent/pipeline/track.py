"""Following things from picture to picture.

Detections are matched with the boxes that a Kalman filter predicts, in three passes, the first two as in
ByteTrack (2022): sure scores by overlap; weak scores by more overlap, which carry a track through a bad
moment; sure scores by nearness and size, which carry it through few pictures a second, when boxes no longer
touch. Measured against annotated identities in tests/tracking.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from edge_agent.pipeline.boxes import (
    greedy_pairs,
    inside,
    iou,
    iou_matrix,
    nearness,
    nearness_matrix,
    to_arrays,
)
from edge_agent.pipeline.confirm import median_score
from edge_agent.pipeline.motion import Motion
from edge_agent.pipeline.region import holds
from edge_agent.vision.arrays import Float32
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Answerer, Detection, DetectorRef
from edge_agent.wire.event import OffloadReason

_Similarity = Callable[[Float32, Float32], Float32]
Verdict = Literal["confirmed", "denied"]

_SCORES_KEPT = 10
_TRAIL_KEPT = 64


@dataclass(frozen=True)
class TrackSettings:
    """How things are followed.

    Attributes:
        birth_margin: Scores down to this far under the threshold may start a track; it is told of later.
        min_iou: Overlap that joins a sure score to a track.
        min_iou_weak: Overlap that joins a weak score.
        reach: Distance, in box sizes, up to which the last pass looks for a thing, at most.
        reach_at_once: The same for a thing that was seen this very moment.
        reach_a_second: By how much it grows with each second since the thing was seen.
        min_nearness: Nearness that joins in the last pass.
        twin_inside: The same for one that lies inside a followed one by this share.
        twin_iou: A new box that overlaps a followed one of its label this much is the same thing.
        max_unsure_s: A confirmed thing is gone when no score reached the threshold for so long.
        max_lost_s: A confirmed thing is gone when not seen for so long, or after `min_misses` looks if it
            walked out of the picture.
        stationary_lost_s: The same for one that stood still: detectors flicker on those.
        min_misses: Looks without it, at least, before it counts as gone.
        tentative_misses: Looks without it that end a track nobody heard of.
        stationary_after_s: Standing still for so long makes it stationary.
        cloud_hold_s: How long a thing that only the cloud can see is kept between two answers.
    """

    birth_margin: float = 0.12
    min_iou: float = 0.25
    min_iou_weak: float = 0.5
    reach: float = 2.0
    reach_at_once: float = 1.0
    reach_a_second: float = 2.0
    min_nearness: float = 0.25
    twin_iou: float = 0.45
    twin_inside: float = 0.8
    max_unsure_s: float = 5.0
    max_lost_s: float = 3.0
    stationary_lost_s: float = 8.0
    min_misses: int = 3
    tentative_misses: int = 3
    stationary_after_s: float = 5.0
    cloud_hold_s: float = 30.0


@dataclass
class CloudAnswer:
    """What the cloud said about a thing."""

    verdict: Verdict
    reason: OffloadReason
    detector: DetectorRef
    score: float


@dataclass(eq=False)
class Track:
    """One followed thing.

    Attributes:
        number: Unique within its tracker.
        label: What it is.
        box: Where it was last seen.
        score: Of the last sight.
        first_s: Monotonic seconds of the first sight.
        last_s: Monotonic seconds of the last sight.
        looked_s: Monotonic seconds of the last look that would have shown it.
        sure_s: Monotonic seconds of the last sight with a good score.
        announced: An event tells of it; set by whoever builds events.
        sights: Pictures in which it was seen.
        misses: Looks in a row without it.
        local_sights: Pictures in which the camera itself saw it.
        scores: Last scores.
        middle: The middle one of them, which thresholds are held against; see `median_score`.
        best_middle: The highest that it ever was.
        trail: Moments and boxes of the last sights.
        motion: How it moves.
        stationary: It stands still.
        patience_s: It is gone when not seen for longer than this.
        cloud: What the cloud said about it, if asked.
        asked_s: When the cloud was last asked about it.
    """

    number: int
    label: str
    box: XyxyNorm
    score: float
    first_s: float
    last_s: float
    announced: bool = False
    sights: int = 0
    misses: int = 0
    local_sights: int = 0
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=_SCORES_KEPT))
    trail: deque[tuple[float, XyxyNorm]] = field(default_factory=lambda: deque(maxlen=_TRAIL_KEPT))
    middle: float = 0.0
    best_middle: float = 0.0
    looked_s: float = 0.0
    sure_s: float = 0.0
    stationary: bool = False
    patience_s: float = 0.0
    cloud: CloudAnswer | None = None
    asked_s: float = float("-inf")
    motion: Motion = field(init=False)

    def __post_init__(self) -> None:
        self.motion = Motion(self.box, self.first_s)
        self.looked_s = self.sure_s = self.first_s

    @property
    def only_cloud_sees(self) -> bool:
        """Return whether the camera itself never saw it."""
        return self.local_sights == 0 and self.cloud is not None

    def box_at(self, at_s: float) -> XyxyNorm:
        """Return where it was seen at the sight nearest to `at_s`."""
        return min(self.trail, key=lambda sight: abs(sight[0] - at_s))[1]

    def see(
        self, detection: Detection, at_s: float, by: Answerer, settings: TrackSettings, tall: float
    ) -> None:
        """Take a new sight; `tall` is the picture's height in widths."""
        if self.sights:
            self.motion.see(detection.box, at_s, tall)
        else:
            self.motion = Motion(detection.box, at_s, tall)
        self.box, self.score = detection.box, detection.score
        self.scores.append(detection.score)
        self.middle = median_score(self.scores)
        self.best_middle = max(self.best_middle, self.middle)
        self.trail.append((at_s, detection.box))
        self.last_s, self.misses = at_s, 0
        self.looked_s = max(self.looked_s, at_s)
        self.sights += 1
        self.local_sights += by == "local"
        self.stationary = at_s - self.motion.still_since_s >= settings.stationary_after_s
        self.patience_s = settings.stationary_lost_s if self.stationary else settings.max_lost_s


@dataclass(frozen=True)
class TrackerStep:
    """What one look changed: tracks that are followed now, and those that were given up."""

    alive: tuple[Track, ...]
    gone: tuple[Track, ...]


class Tracker:
    """Follows the things of one camera."""

    def __init__(
        self,
        birth_score: Callable[[str], float],
        sure_score: Callable[[str], float],
        settings: TrackSettings | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            birth_score: Score from which a detection of a label may start a track; weaker ones only go on.
            sure_score: Score from which it may do so beside something that is followed.
            settings: How things are followed.
        """
        self._sure_score = sure_score
        self._birth_score = birth_score
        self._settings = settings or TrackSettings()
        self._tracks: list[Track] = []
        self._next_number = 1
        self.last_update_s = float("-inf")

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Return all followed things, announced or not."""
        return tuple(self._tracks)

    def update(
        self,
        detections: Sequence[Detection],
        at_s: float,
        *,
        by: Answerer = "local",
        tall: float = 1.0,
        parts: Sequence[XyxyNorm] = (WHOLE,),
    ) -> TrackerStep:
        """Take what was seen in one picture.

        Args:
            detections: All of it, weak scores too.
            at_s: The picture's moment, monotonic seconds.
            by: Who saw it.
            tall: The picture's height in widths.
            parts: Of the picture, which were looked at: of what is elsewhere nothing is said.
        """
        self.last_update_s = at_s
        sure_score = {label: self._sure_score(label) for label in {d.label for d in detections}}
        sure = [d for d in detections if d.score >= sure_score[d.label]]
        weak = [d for d in detections if d.score < sure_score[d.label]]
        tracks = list(self._tracks)
        predicted = to_arrays([t.motion.predicted(at_s) for t in tracks])
        free = list(range(len(tracks)))
        settings = self._settings
        passes: tuple[tuple[list[Detection], float, _Similarity | None], ...] = (
            (sure, settings.min_iou, iou_matrix),
            (weak, settings.min_iou_weak, iou_matrix),
            (sure, settings.min_nearness, None),
        )
        for candidates, at_least, overlap in passes:
            if not candidates:
                continue
            some = [tracks[i] for i in free]
            similarity = overlap or self._nearness(some, at_s, tall)
            pairs = _match(some, predicted[free], candidates, at_least, similarity)
            for track, detection in pairs:
                if detection.score >= sure_score[detection.label]:
                    track.sure_s = at_s
                track.see(detection, at_s, by, settings, tall)
            joined = {id(detection) for _, detection in pairs}
            candidates[:] = [d for d in candidates if id(d) not in joined]
            seen = {track.number for track, _ in pairs}
            free = [i for i in free if tracks[i].number not in seen]
        for index in free:
            if _is_within(predicted[index], parts):
                tracks[index].looked_s = at_s
                # That the camera does not see what only the cloud can see says nothing.
                tracks[index].misses += by == "cloud" or not tracks[index].only_cloud_sees
        left = sorted((*sure, *weak), key=lambda d: -d.score)
        expected = {t.number: t.motion.predicted(at_s) for t in tracks} if left else {}
        for detection in left:
            may_start = detection.score >= self._birth_score(detection.label)
            if may_start and not self._is_twin(detection, expected, tall):
                self.adopt(detection, at_s, by=by, tall=tall)
        return self._drop_gone(at_s)

    def adopt(self, detection: Detection, at_s: float, *, by: Answerer = "local", tall: float = 1.0) -> Track:
        """Follow a new thing."""
        track = Track(self._next_number, detection.label, detection.box, detection.score, at_s, at_s)
        self._next_number += 1
        track.see(detection, at_s, by, self._settings, tall)
        self._tracks.append(track)
        return track

    def forget(self, number: int) -> None:
        """Stop following one thing."""
        self._tracks = [track for track in self._tracks if track.number != number]

    def forget_all(self) -> tuple[Track, ...]:
        """Stop following everything, and return what was followed."""
        gone, self._tracks = tuple(self._tracks), []
        return gone

    def _nearness(self, tracks: Sequence[Track], at_s: float, tall: float) -> _Similarity:
        settings = self._settings
        lost_s = np.array([[at_s - t.last_s] for t in tracks], dtype=np.float32).reshape(-1, 1)
        reach = np.minimum(settings.reach, settings.reach_at_once + settings.reach_a_second * lost_s)
        return partial(nearness_matrix, tall=tall, reach=reach)

    def _is_twin(self, detection: Detection, expected: Mapping[int, XyxyNorm], tall: float) -> bool:
        """Return whether a box that joined no track is nevertheless one of something followed already.

        Args:
            detection: With the box.
            expected: Where things should be, by number; of new ones where they were seen counts.
            tall: The picture's height in widths.
        """
        same = [t for t in self._tracks if t.label == detection.label]
        if not same:
            return False
        box, settings = detection.box, self._settings
        seen = [t.box for t in same if t.misses == 0]
        if any(
            iou(one, box) >= settings.twin_iou or inside(box, one) >= settings.twin_inside for one in seen
        ):
            return True
        if detection.score >= self._sure_score(detection.label):
            return False
        # An unsure box near something followed is rather that than something new.
        return any(nearness(expected.get(t.number, t.box), box, tall, settings.reach) > 0.0 for t in same)

    def _drop_gone(self, at_s: float) -> TrackerStep:
        gone = tuple(t for t in self._tracks if t.looked_s == at_s and self._is_gone(t, at_s))
        self._tracks = [t for t in self._tracks if t not in gone]
        return TrackerStep(tuple(self._tracks), gone)

    def _is_gone(self, track: Track, at_s: float) -> bool:
        settings, lost_s = self._settings, at_s - track.last_s
        if track.only_cloud_sees and lost_s > settings.cloud_hold_s:
            return True
        if not track.announced and track.cloud is None:
            return track.misses >= settings.tentative_misses
        if track.misses >= settings.min_misses and _is_outside(track.motion.predicted(at_s)):
            return True
        if (
            at_s - track.sure_s > max(track.patience_s, settings.max_unsure_s)
            and track.sights > settings.min_misses
        ):
            return True
        return track.misses >= settings.min_misses and lost_s > track.patience_s


def _is_within(predicted: Float32, parts: Sequence[XyxyNorm]) -> bool:
    return any(holds(part, predicted.tolist()) for part in parts)


def _is_outside(predicted: XyxyNorm) -> bool:
    """Return whether more than half of a thing should have left the picture: who comes next is another."""
    x, y = (predicted[0] + predicted[2]) / 2, (predicted[1] + predicted[3]) / 2
    return not (0.0 < x < 1.0 and 0.0 < y < 1.0)


def _match(
    tracks: list[Track],
    predicted: Float32,
    detections: list[Detection],
    at_least: float,
    similarity: _Similarity,
) -> list[tuple[Track, Detection]]:
    if not tracks or not detections:
        return []
    alike = similarity(predicted, to_arrays([d.box for d in detections]))
    same = np.array([[t.label == d.label for d in detections] for t in tracks])
    return [(tracks[i], detections[j]) for i, j in greedy_pairs(np.where(same, alike, -1.0), at_least)]
