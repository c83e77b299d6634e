"""Geometry of normalised boxes, (x1, y1, x2, y2), as float32 arrays or one by one.

For one pair of boxes plain numbers take a twentieth of the time of arrays.
"""

from __future__ import annotations

import math

import numpy as np

from edge_agent.vision.arrays import Float32
from edge_agent.wire.base import XyxyNorm


def to_arrays(boxes: list[XyxyNorm]) -> Float32:
    """Return boxes as (n, 4) float32, also when there are none."""
    return np.asarray(boxes, dtype=np.float32).reshape(-1, 4)


def to_box(array: Float32) -> XyxyNorm:
    """Return (4,) float32 as a box that lies inside the picture."""
    x1, y1, x2, y2 = (min(1.0, max(0.0, float(v))) for v in array)
    return x1, y1, max(x1, x2), max(y1, y2)


def centre(box: Float32) -> Float32:
    """Return the centres (…, 2) of boxes (…, 4)."""
    return np.asarray((box[..., :2] + box[..., 2:]) / 2, dtype=np.float32)


def nearness_matrix(first: Float32, second: Float32, tall: float, reach: float | Float32) -> Float32:
    """Return how near and alike in size boxes (n, 4) and (m, 4) are, (n, m): 1 the same, 0 too far apart.

    Unlike overlap it still tells candidates apart when boxes do not touch, as with few pictures a second.

    Args:
        first: Boxes.
        second: Boxes.
        tall: The picture's height in widths, so that lengths compare in both directions.
        reach: Distance of centres, in box sizes (root of the area), from which the answer is 0; one for all,
            or (n, 1), one for each of the first boxes.
    """
    scale = np.array([1.0, tall], dtype=np.float32)
    way = (centre(first)[:, None] - centre(second)[None]) * scale
    sides = [(b[:, 2:] - b[:, :2]) * scale for b in (first, second)]
    sizes = [np.sqrt(np.maximum(s.prod(axis=1), 1e-12)) for s in sides]
    larger = np.maximum(sizes[0][:, None], sizes[1][None])
    alike = np.minimum(sizes[0][:, None], sizes[1][None]) / larger
    near = np.clip(1.0 - np.linalg.norm(way, axis=2) / (reach * larger), 0.0, None)
    return np.asarray(near * alike, dtype=np.float32)


def iou_matrix(first: Float32, second: Float32) -> Float32:
    """Return intersection over union, (n, m), of boxes (n, 4) and (m, 4)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(high - low, 0.0)
    both = sides[..., 0] * sides[..., 1]
    areas = [(b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - both
    return np.asarray(both / np.maximum(union, 1e-9), dtype=np.float32)


def iou(first: XyxyNorm, second: XyxyNorm) -> float:
    """Return intersection over union of two boxes."""
    both = _shared(first, second)
    return both / max(_area(first) + _area(second) - both, 1e-9)


def inside(inner: XyxyNorm, outer: XyxyNorm) -> float:
    """Return which share of a box lies inside another one."""
    return _shared(inner, outer) / max(_area(inner), 1e-9)


def nearness(first: XyxyNorm, second: XyxyNorm, tall: float, reach: float) -> float:
    """Return what `nearness_matrix` does, of two boxes."""
    way_x = (first[0] + first[2] - second[0] - second[2]) / 2
    way_y = (first[1] + first[3] - second[1] - second[3]) / 2 * tall
    sizes = [math.sqrt(max(_area(box) * tall, 1e-12)) for box in (first, second)]
    larger = max(sizes)
    return max(0.0, 1.0 - math.hypot(way_x, way_y) / (reach * larger)) * min(sizes) / larger


def _shared(first: XyxyNorm, second: XyxyNorm) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return width * height if width > 0.0 and height > 0.0 else 0.0


def _area(box: XyxyNorm) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def from_crop(box: XyxyNorm, crop: XyxyNorm) -> XyxyNorm:
    """Return a box inside a cut-out as a box of the whole picture."""
    x1, y1, x2, y2 = crop
    width, height = x2 - x1, y2 - y1
    whole = (x1 + box[0] * width, y1 + box[1] * height, x1 + box[2] * width, y1 + box[3] * height)
    return to_box(np.asarray(whole, dtype=np.float32))


def greedy_pairs(similarity: Float32, at_least: float) -> list[tuple[int, int]]:
    """Return pairs (row, column) of a matrix (n, m), best first, each row and column at most once.

    Greedy differs from the optimum only in crowds, where boxes are too unsure for it to matter.
    """
    pairs: list[tuple[int, int]] = []
    rows: set[int] = set()
    columns: set[int] = set()
    wanted = np.argwhere(similarity >= at_least)
    order = np.argsort(-similarity[wanted[:, 0], wanted[:, 1]], kind="stable")
    for row, column in wanted[order].tolist():
        if row not in rows and column not in columns:
            pairs.append((row, column))
            rows.add(row)
            columns.add(column)
    return pairs
