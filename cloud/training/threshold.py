"""From which score on a detection should count: pure functions over matched detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.vision.arrays import Bool, Float32
from edge_agent.vision.nms import iou_matrix
from edge_agent.wire.base import XyxyNorm

MATCH_IOU = 0.5
DEFAULT_THRESHOLD = 0.3
_LOWEST, _HIGHEST = 0.05, 0.95
_AS_GOOD = 0.01


@dataclass(frozen=True)
class ScoredMatches:
    """Detections of one class: scores `(n,)`, which hit an object `(n,)`, and how many objects there are."""

    scores: Float32
    right: Bool
    truth: int


def match(
    frames: Sequence[tuple[Sequence[tuple[float, XyxyNorm]], Sequence[XyxyNorm]]], iou: float = MATCH_IOU
) -> ScoredMatches:
    """Match detections to objects, the best first, each object once.

    Args:
        frames: For each frame (score, box) of the detections, and the boxes of the objects.
        iou: From which overlap on a detection hits.
    """
    scores: list[float] = []
    right: list[bool] = []
    for detections, objects in frames:
        ordered = sorted(detections, key=lambda detection: -detection[0])
        scores += [score for score, _ in ordered]
        right += _hits([box for _, box in ordered], objects, iou)
    total = sum(len(objects) for _, objects in frames)
    return ScoredMatches(np.array(scores, np.float32), np.array(right, np.bool_), total)


def _hits(detections: Sequence[XyxyNorm], objects: Sequence[XyxyNorm], iou: float) -> list[bool]:
    if not detections or not objects:
        return [False] * len(detections)
    overlaps = iou_matrix(np.array(detections, np.float32), np.array(objects, np.float32))
    hits = []
    for row in overlaps:
        best = int(row.argmax())
        hits.append(bool(row[best] >= iou))
        if hits[-1]:
            overlaps[:, best] = 0.0
    return hits


def recommend_threshold(matches: ScoredMatches) -> float:
    """Return the score from which detections should count: the middle of where F1 is within 0.01 of its best.

    The middle, because the best score of a small set is often at the very edge of falling off. With nothing
    to learn from, 0.3.
    """
    if matches.truth == 0 or not matches.right.any():
        return DEFAULT_THRESHOLD
    order = np.argsort(-matches.scores, kind="stable")
    scores = matches.scores[order]
    hits = np.cumsum(matches.right[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + matches.truth)
    # Only where the next score differs can a threshold be drawn.
    borders = np.append(scores[1:] < scores[:-1], True)
    good = np.nonzero(borders & (f1 >= f1[borders].max() - _AS_GOOD))[0]
    top = float(scores[good[0]])
    last = int(good[-1])
    below = float(scores[last + 1]) if last + 1 < len(scores) else 0.0
    bottom = (float(scores[last]) + below) / 2
    return round(float(np.clip((top + bottom) / 2, _LOWEST, _HIGHEST)), 3)
