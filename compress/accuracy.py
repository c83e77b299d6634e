"""How good detections are, against truth or against the full detector's; pure functions."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from compress.protocol import TruthBox
from edge_agent.vision.nms import iou_matrix
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import LabelSpec

Pictures = Sequence[Sequence[Detection]]

AGREEMENT_IOU = 0.5

MOST_SHIFT = 0.15
"""So far a small detector's threshold may lie from the full one's."""

_GRID_PX = 1000
_WORTH_IT = 0.005


def average_precision(
    truth: Sequence[Sequence[TruthBox]], found: Pictures, labels: Sequence[LabelSpec]
) -> tuple[float, float] | None:
    """Return COCO's (AP50, AP) over all classes that occur, or none when there is no labelled object.

    Args:
        truth: The labelled objects of each picture.
        found: The detections of each picture, down to a low score.
        labels: The detector's classes, in order.
    """
    if not any(truth):
        return None
    numbers = {label.slug: index + 1 for index, label in enumerate(labels)}
    results = [
        {
            "image_id": picture + 1,
            "category_id": numbers[detection.label],
            "bbox": _xywh(detection.box),
            "score": detection.score,
        }
        for picture, detections in enumerate(found)
        for detection in detections
    ]
    if not results:
        return 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        coco: Any = COCO(_coco_document(truth, labels))
        evaluation: Any = COCOeval_faster(coco, coco.loadRes(results), "bbox")
        evaluation.params.catIds = sorted({box.label_index + 1 for boxes in truth for box in boxes})
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[1]), float(evaluation.stats[0])


def agreement_f1(full: Pictures, small: Pictures) -> float:
    """Return how far two detectors see the same boxes: F1 of matches of one label at IoU 0.5.

    Both see nothing anywhere: they agree, 1.0.

    Args:
        full: Detections of the full detector, picture by picture, at its thresholds.
        small: Detections of the small one, likewise.
    """
    matches = sum(len(matched_boxes(one, other)) for one, other in zip(full, small, strict=True))
    boxes = sum(map(len, full)) + sum(map(len, small))
    return 2 * matches / boxes if boxes else 1.0


def above(pictures: Pictures, thresholds: Mapping[str, float]) -> tuple[tuple[Detection, ...], ...]:
    """Return the detections that reach their label's threshold, by slug."""
    return tuple(
        tuple(found for found in picture if found.score >= thresholds[found.label]) for picture in pictures
    )


def tuned_thresholds(full: Pictures, small: Pictures, labels: Iterable[LabelSpec]) -> dict[str, float]:
    """Return the thresholds at which the small detector agrees best with the full one, label by label.

    A quantized network's scores shift a little. A threshold is moved only if that raises the agreement by
    more than half a point; it stays within 0.15 of the full detector's.

    Args:
        full: All detections of the full detector, picture by picture.
        small: All detections of the small one, on the same pictures.
        labels: The classes with the full detector's thresholds.
    """
    return {label.slug: _tuned_threshold(full, small, label) for label in labels}


def _tuned_threshold(full: Pictures, small: Pictures, label: LabelSpec) -> float:
    own = {label.slug: label.threshold}
    wanted = above(_of_label(full, label.slug), own)
    candidates = _of_label(small, label.slug)

    def agreement(threshold: float) -> float:
        return agreement_f1(wanted, above(candidates, {label.slug: threshold}))

    steps = np.clip(label.threshold + MOST_SHIFT * np.arange(-15, 16) / 15, 0.01, 0.99).round(4).tolist()
    # Of equally good thresholds the one nearest to the full detector's.
    best = max(steps, key=lambda step: (agreement(step), -abs(step - label.threshold)))
    return best if agreement(best) > agreement(label.threshold) + _WORTH_IT else label.threshold


def _of_label(pictures: Pictures, slug: str) -> list[list[Detection]]:
    return [[found for found in picture if found.label == slug] for picture in pictures]


def matched_boxes(full: Sequence[Detection], small: Sequence[Detection]) -> list[tuple[int, int]]:
    """Return which boxes of a picture two detectors share: same label, IoU 0.5, each box at most once.

    Greedily from the best score of `small` on.

    Returns:
        Pairs of indices into `full` and `small`.
    """
    if not full or not small:
        return []
    order = sorted(range(len(small)), key=lambda index: -small[index].score)
    ordered = [small[index] for index in order]
    ious = iou_matrix(_boxes(ordered), _boxes(full))
    same = np.array([[one.label == other.label for other in full] for one in ordered])
    ious[~same] = 0.0
    pairs = []
    for index, row in zip(order, ious, strict=True):
        partner = int(row.argmax())
        if row[partner] >= AGREEMENT_IOU:
            ious[:, partner] = 0.0
            pairs.append((partner, index))
    return pairs


def _boxes(detections: Sequence[Detection]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array([found.box for found in detections], np.float32).reshape(-1, 4)


def _coco_document(truth: Sequence[Sequence[TruthBox]], labels: Sequence[LabelSpec]) -> dict[str, Any]:
    boxes = [(picture + 1, box) for picture, boxes in enumerate(truth) for box in boxes]
    return {
        "images": [{"id": index + 1, "width": _GRID_PX, "height": _GRID_PX} for index in range(len(truth))],
        "categories": [{"id": index + 1, "name": label.slug} for index, label in enumerate(labels)],
        "annotations": [
            {
                "id": number + 1,
                "image_id": picture,
                "category_id": box.label_index + 1,
                "bbox": (xywh := _xywh(box.box_xyxy_norm)),
                "area": xywh[2] * xywh[3],
                "iscrowd": 0,
            }
            for number, (picture, box) in enumerate(boxes)
        ],
    }


def _xywh(box: tuple[float, float, float, float]) -> list[float]:
    """Return a box on a grid of 1000: IoU does not change when an axis is stretched."""
    x1, y1, x2, y2 = (_GRID_PX * side for side in box)
    return [x1, y1, x2 - x1, y2 - y1]
