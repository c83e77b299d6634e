"""How much a detector doubts what it says about a frame. Pure functions of detections.

Three signs, each a count of objects in doubt: a score near the threshold; an answer that changes when the
picture is mirrored; an object that is there before and after in time and not here, or only here (flicker).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.vision.nms import iou_matrix
from edge_agent.wire.detection import Detection

_NEAR_SCORE = 0.1
_SAME_IOU = 0.4
_SAME_LATER_IOU = 0.2
_MOST_OBJECTS = 6.0

Thresholds = Mapping[str, float]
"""The threshold of each class by name."""


@dataclass(frozen=True)
class Doubt:
    """How many objects of a frame are in doubt, by sign; at most 6 each: a crowd is not everything."""

    near_threshold: float
    disagreement: float
    flicker: float

    @property
    def total(self) -> float:
        """Return one figure, 0 for no doubt at all."""
        return self.near_threshold + self.disagreement + self.flicker


def doubt_of(
    here: Sequence[Detection],
    mirrored: Sequence[Detection],
    before: Sequence[Detection] | None,
    after: Sequence[Detection] | None,
    thresholds: Thresholds,
) -> Doubt:
    """Return how much one frame is in doubt.

    Args:
        here: What is said about it, from low scores on.
        mirrored: What is said about its mirror image, boxes mapped back.
        before: About the frame before it in time; none when there is none near.
        after: About the frame after it.
        thresholds: Of each class.
    """
    return Doubt(
        min(_MOST_OBJECTS, near_threshold(here, thresholds)),
        min(_MOST_OBJECTS, disagreement(here, mirrored, thresholds)),
        min(_MOST_OBJECTS, flicker(here, before, after, thresholds)),
    )


def near_threshold(found: Sequence[Detection], thresholds: Thresholds) -> float:
    """Return the sum over detections of 1 at the threshold, falling to 0 at 0.1 above or below it."""
    return sum(
        max(0.0, 1 - abs(one.score - thresholds[one.label]) / _NEAR_SCORE)
        for one in found
        if one.label in thresholds
    )


def disagreement(here: Sequence[Detection], mirrored: Sequence[Detection], thresholds: Thresholds) -> float:
    """Return how many objects one answer holds and the other does not, each by how sure it is."""
    sure, other_sure = _sure(here, thresholds), _sure(mirrored, thresholds)
    alone = [*_unmatched(sure, other_sure, _SAME_IOU), *_unmatched(other_sure, sure, _SAME_IOU)]
    return float(sum(one.score for one in alone))


def flicker(
    here: Sequence[Detection],
    before: Sequence[Detection] | None,
    after: Sequence[Detection] | None,
    thresholds: Thresholds,
) -> float:
    """Return how many objects are before and after but not here, or here and neither before nor after.

    Things that leave or enter are at one side, so they do not count; 0 at either end of a clip.
    """
    if before is None or after is None:
        return 0.0
    now, earlier, later = (_sure(found, thresholds) for found in (here, before, after))
    stays = _matched(earlier, later, _SAME_LATER_IOU)
    gone = _unmatched(stays, now, _SAME_LATER_IOU)
    alone = _unmatched(_unmatched(now, earlier, _SAME_LATER_IOU), later, _SAME_LATER_IOU)
    return float(len(gone) + len(alone))


def mirror_back(found: Sequence[Detection]) -> list[Detection]:
    """Return the detections of a mirror image as boxes of the picture itself."""
    return [
        one.model_copy(update={"box": (1 - one.box[2], one.box[1], 1 - one.box[0], one.box[3])})
        for one in found
    ]


def _sure(found: Sequence[Detection], thresholds: Thresholds) -> list[Detection]:
    return [one for one in found if one.score >= thresholds.get(one.label, 1.0)]


def _matched(some: Sequence[Detection], others: Sequence[Detection], iou: float) -> list[Detection]:
    return [one for one, has in zip(some, _has_partner(some, others, iou), strict=True) if has]


def _unmatched(some: Sequence[Detection], others: Sequence[Detection], iou: float) -> list[Detection]:
    return [one for one, has in zip(some, _has_partner(some, others, iou), strict=True) if not has]


def _has_partner(some: Sequence[Detection], others: Sequence[Detection], iou: float) -> list[bool]:
    """Return for each of `some` whether one of `others` is of its class and lies where it is."""
    ious = iou_matrix(_boxes(some), _boxes(others))
    same = np.array([[one.label == other.label for other in others] for one in some], np.bool_)
    return [
        bool(((row >= iou) & alike).any()) for row, alike in zip(ious, same.reshape(ious.shape), strict=True)
    ]


def _boxes(found: Sequence[Detection]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array([one.box for one in found], np.float32).reshape(-1, 4)
