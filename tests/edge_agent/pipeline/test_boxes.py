"""Geometry of boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.pipeline.boxes import (
    from_crop,
    greedy_pairs,
    inside,
    iou,
    iou_matrix,
    nearness,
    nearness_matrix,
    to_arrays,
    to_box,
)
from edge_agent.wire.base import XyxyNorm

UNIT = st.floats(0.0, 1.0, width=32)
BOXES = st.tuples(UNIT, UNIT, UNIT, UNIT).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
)


@given(BOXES, BOXES)
def test_iou_is_symmetric_and_between_zero_and_one(first: XyxyNorm, second: XyxyNorm) -> None:
    assert 0.0 <= iou(first, second) <= 1.0 + 1e-5
    assert iou(first, second) == pytest.approx(iou(second, first), abs=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0.0, 0.0, 0.5, 0.5), (0.0, 0.0, 0.5, 0.5), 1.0),
        ((0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0), 0.0),
        ((0.0, 0.0, 0.4, 0.4), (0.2, 0.0, 0.6, 0.4), 1 / 3),
        ((0.2, 0.2, 0.2, 0.2), (0.2, 0.2, 0.2, 0.2), 0.0),
    ],
)
def test_iou_of_known_boxes(first: XyxyNorm, second: XyxyNorm, expected: float) -> None:
    assert iou(first, second) == pytest.approx(expected, abs=1e-5)


@given(BOXES, BOXES, st.floats(0.3, 3.0), st.floats(0.5, 3.0))
def test_boxes_one_by_one_give_what_arrays_do(
    first: XyxyNorm, second: XyxyNorm, tall: float, reach: float
) -> None:
    a, b = to_arrays([first]), to_arrays([second])
    assert iou(first, second) == pytest.approx(float(iou_matrix(a, b)[0, 0]), abs=1e-4)
    near = float(nearness_matrix(a, b, tall, reach)[0, 0])
    assert nearness(first, second, tall, reach) == pytest.approx(near, abs=1e-3)


def test_inside_is_the_share_of_the_inner_box() -> None:
    assert inside((0.0, 0.0, 0.4, 0.4), (0.2, 0.0, 1.0, 1.0)) == pytest.approx(0.5)
    assert inside((0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 1.0, 1.0)) == 0.0


def test_iou_matrix_without_boxes_is_empty() -> None:
    assert iou_matrix(to_arrays([]), to_arrays([(0.0, 0.0, 1.0, 1.0)])).shape == (0, 1)


@given(BOXES, BOXES, st.floats(0.3, 3.0), st.floats(0.5, 3.0))
def test_nearness_is_symmetric_and_best_for_the_same_box(
    first: XyxyNorm, second: XyxyNorm, tall: float, reach: float
) -> None:
    a, b = to_arrays([first]), to_arrays([second])
    there = float(nearness_matrix(a, b, tall, reach)[0, 0])
    assert 0.0 <= there <= 1.0 + 1e-5
    assert there == pytest.approx(float(nearness_matrix(b, a, tall, reach)[0, 0]), abs=1e-4)
    assert float(nearness_matrix(a, a, tall, reach)[0, 0]) == pytest.approx(1.0, abs=1e-4)


def test_nearness_prefers_the_neighbour_of_its_size() -> None:
    track = to_arrays([(0.40, 0.40, 0.44, 0.56)])
    others = to_arrays([(0.45, 0.40, 0.49, 0.56), (0.45, 0.40, 0.47, 0.44), (0.80, 0.40, 0.84, 0.56)])
    near = nearness_matrix(track, others, 0.75, 1.5)[0]
    assert near[0] > near[1] > near[2] == 0.0


@given(BOXES, BOXES)
def test_from_crop_stays_inside_the_crop(box: XyxyNorm, crop: XyxyNorm) -> None:
    x1, y1, x2, y2 = from_crop(box, crop)
    assert crop[0] - 1e-5 <= x1 <= x2 <= crop[2] + 1e-5
    assert crop[1] - 1e-5 <= y1 <= y2 <= crop[3] + 1e-5


def test_to_box_outside_the_picture_is_clipped_to_it() -> None:
    assert to_box(np.array([-0.5, 0.2, 1.5, 0.1], dtype=np.float32)) == pytest.approx((0.0, 0.2, 1.0, 0.2))


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_greedy_pairs_uses_each_row_and_column_once(rows: int, columns: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).random((rows, columns)).astype(np.float32)
    pairs = greedy_pairs(matrix, 0.4)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert all(matrix[r, c] >= np.float32(0.4) for r, c in pairs)
    left = [(r, c) for r in range(rows) for c in range(columns)
            if r not in {p[0] for p in pairs} and c not in {p[1] for p in pairs}]  # fmt: skip
    assert all(matrix[r, c] < np.float32(0.4) for r, c in left)
