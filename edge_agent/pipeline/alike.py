"""Whether two boxes show the same thing: by how they look, at one place or anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from edge_agent.pipeline.boxes import iou_matrix, to_arrays
from edge_agent.vision.arrays import Float32, Int64, Rgb
from edge_agent.vision.describe import CROP_SPACE, describe_on_picture
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

_NOT_COMPARED = np.float32(-2.0)
_NOT_ALIKE = np.float32(-1.5)

Looks = dict[str, Float32]
"""How one box looks, `(n,) float32` of length 1, by the name of the space that the numbers belong to."""


@dataclass(frozen=True)
class Alike:
    """From which likeness on two boxes show the same thing, in one space.

    Attributes:
        at_place: Where the boxes overlap.
        anywhere: Where they do not.
    """

    at_place: float
    anywhere: float


@dataclass(frozen=True)
class CureSettings:
    """How the cure works; the numbers were chosen on seeds that the benchmark `cure` does not use.

    Attributes:
        on_map: Likeness on a network's map.
        on_picture: Likeness of the pictures alone.
        place_iou: Overlap that makes two boxes one place.
        size_ratio: Away from that place, sides may differ by this factor.
        sights_kept: Sights of one event; the first and the newest stay.
        sight_every_s: Least time between two of them.
        events_kept: Events that feedback may still come for.
        false_alarms_kept: Beyond them the oldest is forgotten.
    """

    on_map: Alike = Alike(at_place=0.86, anywhere=0.94)
    on_picture: Alike = Alike(at_place=0.70, anywhere=0.96)
    place_iou: float = 0.3
    size_ratio: float = 1.5
    sights_kept: int = 4
    sight_every_s: float = 1.0
    events_kept: int = 300
    false_alarms_kept: int = 200

    def alike(self, space: str) -> Alike:
        """Return the likeness that counts in a space."""
        return self.on_picture if space == CROP_SPACE else self.on_map


@dataclass(frozen=True)
class Sight:
    """One box of a picture: what it was taken for, and how it looks, or what finds that out.

    Of most boxes nobody ever asks how they look: only of those that may be a false alarm again, and once a
    second of those that an event tells of.
    """

    detection: Detection
    known: Looks | Callable[[], Looks]

    @cached_property
    def looks(self) -> Looks:
        """Return how it looks."""
        return self.known() if callable(self.known) else self.known


@dataclass
class EventSights:
    """How the thing of one event looked.

    `boxes` and `looks` belong together, sight by sight.
    """

    camera: str
    event_id: str
    label: str
    detector_id: str
    detector_version: int
    seen_s: float = float("-inf")
    boxes: list[XyxyNorm] = field(default_factory=list)
    looks: list[Looks] = field(default_factory=list)

    def add(self, box: XyxyNorm, looks: Looks, at_s: float, keep: int) -> None:
        """Take a sight; of too many the second oldest goes."""
        self.boxes.append(box)
        self.looks.append(looks)
        self.seen_s = at_s
        if len(self.boxes) > keep:
            del self.boxes[1], self.looks[1]

    def sights(self) -> list[Sight]:
        """Return the sights as if they were seen now."""
        return [
            Sight(Detection(label=self.label, score=1.0, box=box), looks)
            for box, looks in zip(self.boxes, self.looks, strict=True)
        ]


def sights_on_picture(rgb: Rgb, detections: Sequence[Detection]) -> list[Sight]:
    """Return detections with how they look in the picture alone: the cloud's answers have no more."""
    return [Sight(detection, partial(_look_on_picture, rgb, detection.box)) for detection in detections]


def _look_on_picture(rgb: Rgb, box: XyxyNorm) -> Looks:
    return {CROP_SPACE: describe_on_picture(rgb, to_arrays([box]))[0]}


class Gallery:
    """The sights of some events, stacked, so that a box is held against all of them at once."""

    def __init__(self, events: Iterable[EventSights], settings: CureSettings) -> None:
        """Stack them."""
        self._settings = settings
        sights = [
            (one.event_id, box, looks)
            for one in events
            for box, looks in zip(one.boxes, one.looks, strict=True)
        ]
        self._ids = [event_id for event_id, _, _ in sights]
        self._boxes = to_arrays([box for _, box, _ in sights])
        spaces: dict[tuple[str, int], list[int]] = {}
        for row, (_, _, looks) in enumerate(sights):
            for space, look in looks.items():
                # By length too: what was kept on a disk may be anything.
                spaces.setdefault((space, len(look)), []).append(row)
        self._stacks = {
            key: (np.array(rows, np.int64), np.stack([sights[row][2][key[0]] for row in rows]))
            for key, rows in spaces.items()
        }

    def find(self, sight: Sight) -> str | None:
        """Return the event whose thing a box shows again, none when it shows none of them.

        Each remembered sight is compared in the first space that it shares with the box.
        """
        if not self._ids:
            return None
        margins = np.full(len(self._ids), _NOT_COMPARED, np.float32)
        for space, look in sight.looks.items():
            if (space, len(look)) in self._stacks:
                rows, stack = self._stacks[space, len(look)]
                over = stack @ look - self._needed(rows, sight.detection.box, space)
                fresh = margins[rows] == _NOT_COMPARED
                margins[rows] = np.where(fresh, np.maximum(over, _NOT_ALIKE), margins[rows])
        best = int(margins.argmax())
        return self._ids[best] if margins[best] >= 0.0 else None

    def _needed(self, rows: Int64, box: XyxyNorm, space: str) -> Float32:
        """Return the likeness `(len(rows),)` from which a box shows what is remembered; 3 where it cannot."""
        settings, alike = self._settings, self._settings.alike(space)
        places, mine = self._boxes[rows], to_arrays([box])
        at_place = iou_matrix(places, mine)[:, 0] >= settings.place_iou
        sides, own = places[:, 2:] - places[:, :2], mine[:, 2:] - mine[:, :2]
        ratio = np.maximum(sides, own) / np.maximum(np.minimum(sides, own), 1e-6)
        as_large = (ratio <= settings.size_ratio).all(axis=1)
        elsewhere = np.where(as_large, alike.anywhere, 3.0)
        return np.asarray(np.where(at_place, alike.at_place, elsewhere), np.float32)
