"""Invariants of non-maximum suppression."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.vision.arrays import Float32, Int64
from edge_agent.vision.nms import iou_matrix, nms


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Float32, Float32, Int64]:
    count = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 40, (count, 2))], axis=1).astype(np.float32)
    scores = np.round(rng.uniform(0, 1, count), 1).astype(np.float32)
    return boxes, scores, rng.integers(0, 3, count)


def naive_nms(boxes: Float32, scores: Float32, labels: Int64, threshold: float) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        rivals = [k for k in kept if labels[k] == labels[index]]
        if all(naive_iou(boxes[k], boxes[index]) <= threshold for k in rivals):
            kept.append(index)
    return kept


def naive_iou(a: Float32, b: Float32) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


@given(scenes())
def test_nms_is_the_naive_loop(scene: tuple[Float32, Float32, Int64]) -> None:
    assert nms(*scene, 0.5).tolist() == naive_nms(*scene, 0.5)


@given(scenes(), st.floats(0.05, 0.95))
def test_kept_boxes_are_best_first_and_apart_and_nms_again_changes_nothing(
    scene: tuple[Float32, Float32, Int64], threshold: float
) -> None:
    boxes, scores, labels = scene
    kept = nms(boxes, scores, labels, threshold)
    assert (np.diff(scores[kept]) <= 0).all()
    overlaps = iou_matrix(boxes[kept], boxes[kept]) > threshold
    same = labels[kept][:, None] == labels[kept][None, :]
    assert not (overlaps & same & ~np.eye(len(kept), dtype=bool)).any()
    again = nms(boxes[kept], scores[kept], labels[kept], threshold)
    assert again.tolist() == list(range(len(kept)))


@given(scenes(), st.integers(0, 5))
def test_limit_keeps_the_best(scene: tuple[Float32, Float32, Int64], limit: int) -> None:
    assert nms(*scene, 0.5, limit).tolist() == nms(*scene, 0.5).tolist()[:limit]


def test_empty_boxes_overlap_nothing() -> None:
    point = np.array([[3, 3, 3, 3]], np.float32)
    assert iou_matrix(point, point).tolist() == [[0.0]]
