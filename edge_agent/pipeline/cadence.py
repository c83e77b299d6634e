"""How soon to look again at what is followed: the longer it has been as it is, the later.

One rule serves all: after a look, the next may wait for a share of the time for which a thing is as it is.
What just appeared or was just lost wants the next picture; what has been missing for four seconds wants one
after a second; and so does, where looks are spared, what has long moved as foretold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from edge_agent.pipeline.boxes import iou
from edge_agent.pipeline.gate import Foretold, is_due
from edge_agent.pipeline.scene import Scene
from edge_agent.pipeline.track import Track
from edge_agent.pipeline.zones import crossing_side, foot_of, zones_of
from edge_agent.wire.base import XyxyNorm

# A look that is due so long after a time is not taken for one before it.
_AFTER_S = 0.06
# Fewer sights confirm nothing, however good they are.
_LEAST_SIGHTS = 3


@dataclass(frozen=True)
class LookSettings:
    """How often to look.

    Attributes:
        share: A look may wait for this share of the time for which a thing is as it is.
        rest_share: While nothing moves, what asks for a look waits for this share of the time since something
            did: a detector that wavers about a still picture says nothing new.
        unsure_share: The same for what nobody was told of.
        most_s: But never longer than this.
        at_once_misses: What was not seen in fewer looks than that in a row is looked for at once.
        ask_for_s: A thing that is not sure yet asks for more looks for so long.
        sparing: Also what moves is looked at no oftener, as long as it moves as foretold and nothing else
            does. Off: every picture in which something moves is looked at.
        margin: By how much a thing's movement may reach out of its foretold box, in sizes of the thing.
        parts: A look that shows no more than what changed, moves, is new or missing is enough, where the
            detector can look at parts.
        whole_every_s: While something moves, the whole picture is looked at so often all the same.
        apart: Things nearer to each other than this, in their sizes, could be taken for one another.
    """

    share: float = 0.5
    rest_share: float = 0.05
    unsure_share: float = 0.05
    most_s: float = 1.0
    at_once_misses: int = 3
    ask_for_s: float = 2.0
    sparing: bool = False
    margin: float = 0.3
    parts: bool = False
    whole_every_s: float = 5.0
    apart: float = 1.5


SPARING = LookSettings(sparing=True, rest_share=0.5, unsure_share=1.0, parts=True)
"""For where many streams share a processor."""


def asks(
    tracks: Iterable[Track], at_s: float, looked_s: float, moved_s: float, settings: LookSettings
) -> bool:
    """Return whether something that just appeared or went missing asks for a look though nothing moves.

    Args:
        tracks: What is followed.
        at_s: The picture's moment, monotonic seconds.
        looked_s: The moment of the last look.
        moved_s: The moment of the last movement.
        settings: How often to look.
    """
    rested_s = looked_s - moved_s
    if is_due(settings.unsure_share * rested_s, at_s, looked_s):
        some = tracks
    elif is_due(settings.rest_share * rested_s, at_s, looked_s):
        some = [track for track in tracks if track.announced]
    else:
        return False
    return any(asks_now(track, at_s, settings) for track in some)


def asks_now(track: Track, at_s: float, settings: LookSettings) -> bool:
    """Return whether a thing that just appeared or went missing asks for a look."""
    return is_due(asks_after_s(track, track.looked_s, settings), at_s, track.looked_s)


def asks_after_s(track: Track, looked_s: float, settings: LookSettings) -> float:
    """Return how long after the last look a thing asks for the next one; infinity: it asks for none.

    What stays unsure for long does not ask for ever: it would keep the detector running in a still scene.
    """
    if track.announced:
        if track.misses == 0:
            return math.inf
        if track.misses < settings.at_once_misses:
            return 0.0
        lost_s = looked_s - track.last_s
        # It ends when its time is over, not at the next look after that.
        return min(settings.share * lost_s, max(0.0, track.patience_s + _AFTER_S - lost_s))
    if track.cloud is not None:
        return math.inf
    if track.sights < _LEAST_SIGHTS:
        return 0.0
    return 0.0 if looked_s - track.first_s < settings.ask_for_s else math.inf


def foretold(
    tracks: Sequence[Track], at_s: float, looked_s: float, scene: Scene, tall: float, settings: LookSettings
) -> Foretold | None:
    """Return what is known of a picture; none where everything that moves is to be looked at.

    Args:
        tracks: What is followed.
        at_s: The picture's moment, monotonic seconds.
        looked_s: The moment of the last look.
        scene: Zones and lines.
        tall: The picture's height in widths.
        settings: How often to look.
    """
    if not settings.sparing:
        return None

    def boxes() -> tuple[XyxyNorm, ...]:
        return tuple(roomy(track.motion.predicted(at_s), tall, settings.margin) for track in tracks)

    def first_s() -> float:
        first_s = settings.most_s
        for track in tracks:
            first_s = min(first_s, wait_s(track, at_s, looked_s, scene, settings))
            if first_s == 0.0:
                return 0.0
        # Asked last: of many things there are many pairs.
        return 0.0 if is_crowded(tracks, at_s, tall, settings) else first_s

    return Foretold(boxes, first_s, settings.most_s)


def wait_s(track: Track, at_s: float, looked_s: float, scene: Scene, settings: LookSettings) -> float:
    """Return how long after the last look a thing can do without another while something moves."""
    if not is_steady(track, looked_s, settings) or changes_place(track, at_s, scene):
        return 0.0
    return _share(looked_s - track.motion.foretold_since_s, settings)


def is_steady(track: Track, looked_s: float, settings: LookSettings) -> bool:
    """Return whether a thing is neither new nor missing."""
    if track.announced or track.cloud is not None:
        return track.misses == 0
    return track.sights >= _LEAST_SIGHTS and looked_s - track.first_s >= settings.ask_for_s


def is_crowded(tracks: Sequence[Track], at_s: float, tall: float, settings: LookSettings) -> bool:
    """Return whether things that move are so near each other that they could be taken for one another."""
    if all(track.stationary for track in tracks):
        return False
    boxes = [roomy(track.motion.predicted(at_s), tall, settings.apart / 2) for track in tracks]
    return any(
        iou(first, second) > 0.0
        for (one, first), (other, second) in combinations(zip(tracks, boxes, strict=True), 2)
        if not (one.stationary and other.stationary)
    )


def changes_place(track: Track, at_s: float, scene: Scene) -> bool:
    """Return whether a thing should have come into or out of a zone, or over a line, since it was seen."""
    if not scene.zones and not scene.lines:
        return False
    now = track.motion.predicted(at_s)
    if zones_of(now, track.label, scene.zones) != zones_of(track.box, track.label, scene.zones):
        return True
    return any(
        crossing_side(line.start, line.end, foot_of(track.box), foot_of(now)) is not None
        for line in scene.lines
    )


def roomy(box: XyxyNorm, tall: float, margin: float) -> XyxyNorm:
    """Return a box with a margin around it, given in sizes of the thing (root of its area)."""
    room = margin * math.sqrt(max((box[2] - box[0]) * (box[3] - box[1]) * tall, 0.0))
    return box[0] - room, box[1] - room / tall, box[2] + room, box[3] + room / tall


def _share(known_s: float, settings: LookSettings) -> float:
    return min(settings.most_s, settings.share * max(0.0, known_s))
