"""Greedy non-maximum suppression, class by class."""

from __future__ import annotations

import numpy as np

from edge_agent.vision.arrays import Float32, Int64


def iou_matrix(boxes_a: Float32, boxes_b: Float32) -> Float32:
    """Return intersection over union of every pair; 0 where a box is empty.

    Args:
        boxes_a: `(n, 4) float32 xyxy`.
        boxes_b: `(m, 4) float32 xyxy`, in the same units.

    Returns:
        `(n, m) float32`.
    """
    top_left = np.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])
    bottom_right = np.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0.0)
    shared = sides[..., 0] * sides[..., 1]
    union = _areas(boxes_a)[:, None] + _areas(boxes_b)[None, :] - shared
    ious: Float32 = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ious


def nms(
    boxes: Float32, scores: Float32, labels: Int64, iou_threshold: float, max_detections: int | None = None
) -> Int64:
    """Keep the best box of each overlapping group within a class.

    Args:
        boxes: `(n, 4) float32 xyxy`.
        scores: `(n,) float32`.
        labels: `(n,) int64`; boxes of different labels never suppress each other.
        iou_threshold: A box that overlaps a better one of its label by more than this is dropped.
        max_detections: Keep at most so many.

    Returns:
        Indices of the kept boxes, best first; of equal scores the earlier one wins.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_boxes, sorted_labels = boxes[order], labels[order]
    same_label = sorted_labels[:, None] == sorted_labels[None, :]
    suppresses = (iou_matrix(sorted_boxes, sorted_boxes) > iou_threshold) & same_label
    alive = np.ones(len(order), np.bool_)
    for rank in range(len(order)):
        if alive[rank]:
            alive[rank + 1 :] &= ~suppresses[rank, rank + 1 :]
    return order[alive][:max_detections]


def _areas(boxes: Float32) -> Float32:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    areas: Float32 = sides[:, 0] * sides[:, 1]
    return areas
