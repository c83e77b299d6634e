"""Which detection found which object, as COCO matches them, in a form that can be weighed again and again.

Average precision of a weighted set of frames is what the bootstrap needs: a thousand times the same matches,
each time with other weights. With all weights 1 it is COCO's number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud.evaluation.coco import xywh_px
from cloud.training.evaluate import AnsweredFrame
from edge_agent.wire.base import XyxyNorm

IOUS: Final = tuple(np.linspace(0.5, 0.95, 10).tolist())
_RECALLS = np.linspace(0.0, 1.0, 101)
_MOST_DETECTIONS = 100
_ROWS_AT_ONCE = 64

Float64 = NDArray[np.float64]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ClassMatches:
    """One class over all frames, the best detection first.

    Attributes:
        frames: `(n,) int64`, which frame each detection is of.
        hits: `(n, 10) bool`, whether it found an object, at each IoU.
        truth: `(frames,) float64`, how many objects each frame has.
    """

    frames: NDArray[np.int64]
    hits: NDArray[np.bool_]
    truth: Float64


def match_class(answered: Sequence[AnsweredFrame], label: str) -> ClassMatches:
    """Match the detections of a class in every frame, at each IoU of COCO."""
    scores: list[float] = []
    frames: list[int] = []
    hits: list[NDArray[np.bool_]] = []
    truth = np.zeros(len(answered))
    for number, one in enumerate(answered):
        size = (one.frame.width_px, one.frame.height_px)
        objects = [box.box_xyxy_norm for box in one.frame.boxes if box.label == label]
        found = [(each.score, each.box) for each in one.detections if each.label == label]
        found = sorted(found, key=lambda pair: -pair[0])[:_MOST_DETECTIONS]
        truth[number] = len(objects)
        overlaps = iou_table([box for _, box in found], objects, size)
        hits += [np.stack([_greedy(overlaps, iou) for iou in IOUS], axis=1)] if found else []
        scores += [score for score, _ in found]
        frames += [number] * len(found)
    order = np.argsort(-np.array(scores), kind="mergesort")
    all_hits = np.concatenate(hits) if hits else np.zeros((0, len(IOUS)), np.bool_)
    return ClassMatches(np.array(frames, np.int64)[order], all_hits[order], truth)


def iou_table(found: Sequence[XyxyNorm], objects: Sequence[XyxyNorm], size_px: tuple[int, int]) -> Float64:
    """Return `(found, objects) float64` intersection over union, in pixels as COCO does."""
    if not found or not objects:
        return np.zeros((len(found), len(objects)))
    first = np.array([xywh_px(box, size_px) for box in found])[:, None]
    second = np.array([xywh_px(box, size_px) for box in objects])[None]
    corner = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    sides = np.maximum(corner - np.maximum(first[..., :2], second[..., :2]), 0.0)
    shared = sides.prod(-1)
    union = first[..., 2:].prod(-1) + second[..., 2:].prod(-1) - shared
    table: Float64 = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return table


def _greedy(overlaps: Float64, iou: float) -> NDArray[np.bool_]:
    """Give each detection in turn the free object that it overlaps most, from `iou` on."""
    free = overlaps.copy()
    hits = np.zeros(len(overlaps), np.bool_)
    if not overlaps.shape[1]:
        return hits
    for number, row in enumerate(free):
        # The last of equals, as COCO takes it.
        best = row.shape[0] - 1 - int(row[::-1].argmax())
        if row[best] >= min(iou, 1 - 1e-10):
            hits[number] = True
            free[:, best] = -1.0
    return hits


def average_precision(matches: ClassMatches, weights: Float64) -> tuple[Float64, Float64]:
    """Return (AP at IoU 0.5, AP over all IoUs), each `(samples,) float64`; NaN where no object is left.

    Args:
        matches: From `match_class`.
        weights: `(samples, frames)`, how often each frame counts.
    """
    ap50, ap = np.empty(len(weights)), np.empty(len(weights))
    for start in range(0, len(weights), _ROWS_AT_ONCE):
        part = weights[start : start + _ROWS_AT_ONCE]
        curves = np.stack([_area(matches, part, place) for place in range(len(IOUS))])
        ap50[start : start + len(part)], ap[start : start + len(part)] = curves[0], curves.mean(0)
    return ap50, ap


def _area(matches: ClassMatches, weights: Float64, place: int) -> Float64:
    """Return the mean precision at COCO's 101 recalls, `(samples,)`."""
    objects = weights @ matches.truth
    each = weights[:, matches.frames]
    hit = np.cumsum(each * matches.hits[:, place], axis=1)
    precision = hit / np.maximum(np.cumsum(each, axis=1), np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hit / np.maximum(objects, 1e-12)[:, None]
    areas = np.full(len(weights), np.nan)
    for sample in np.nonzero(objects > 0)[0]:
        first = np.searchsorted(recall[sample], _RECALLS, side="left")
        reached = first[first < recall.shape[1]]
        areas[sample] = envelope[sample, reached].sum() / len(_RECALLS)
    return areas
