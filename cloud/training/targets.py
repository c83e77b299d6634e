"""What the head should say about one view: heat around centres, distances to edges, where labels hold.

Gaussians as wide as the box in each direction, as in TTFNet (Liu et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.vision.arrays import Float32, Int64

STRIDE_PX = 8
_MIN_VISIBLE_SHARE = 0.35
_MIN_SIDE_PX = 4.0
_SIGMA_SHARE = 0.09
_SIGMA_MIN_CELLS = 0.3
_BOX_HEAT = 0.3


@dataclass(frozen=True)
class Targets:
    """Targets of one view, float32, each `(h, w, n)`.

    `heat` has a channel a class, `distances` four, `box_weight` and `trusted` one.
    """

    heat: Float32
    distances: Float32
    box_weight: Float32
    trusted: Float32

    def window(self, row: int, column: int, size: tuple[int, int]) -> Targets:
        """Return the part of `size` (rows, columns) from this cell on."""
        part = np.s_[row : row + size[0], column : column + size[1]]
        return Targets(self.heat[part], self.distances[part], self.box_weight[part], self.trusted[part])


def build_targets(
    boxes_px: Float32,
    labels: Int64,
    classes: int,
    size_px: tuple[int, int],
    trusted_px: Float32 | None = None,
) -> Targets:
    """Return the targets of one view.

    A box of which less than a third is inside, or that is too small to see, is neither object nor background.

    Args:
        boxes_px: `(n, 4) float32 xyxy` in pixels of the input; may reach outside.
        labels: `(n,)` class numbers.
        classes: How many classes there are.
        size_px: (width, height) of the input.
        trusted_px: `(m, 4) float32 xyxy`: where the labels hold; none = everywhere.
    """
    width, height = size_px[0] // STRIDE_PX, size_px[1] // STRIDE_PX
    targets = Targets(
        np.zeros((height, width, classes), np.float32),
        np.zeros((height, width, 4), np.float32),
        np.zeros((height, width, 1), np.float32),
        _trusted_cells(trusted_px, width, height),
    )
    inside = clip_boxes(boxes_px, size_px)
    seen = _area(inside) >= _MIN_VISIBLE_SHARE * _area(boxes_px)
    seen &= np.minimum(inside[:, 2] - inside[:, 0], inside[:, 3] - inside[:, 1]) >= _MIN_SIDE_PX
    for box in inside[~seen]:
        _cells_inside(targets.trusted, box)[:] = 0.0
    # Large first, so that the box of a small thing in front of a large one wins where both claim a cell.
    for index in np.argsort(-_area(inside[seen]), kind="stable"):
        _paint(targets, inside[seen][index] / STRIDE_PX, int(labels[seen][index]))
    return targets


def clip_boxes(boxes_px: Float32, size_px: tuple[int, int]) -> Float32:
    """Return `(n, 4)` boxes cut at the edges of the input."""
    limit = np.array([*size_px, *size_px], np.float32)
    return np.clip(boxes_px, 0, limit).astype(np.float32)


def _area(boxes: Float32) -> Float32:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    area: Float32 = sides[:, 0] * sides[:, 1]
    return area


def _cells_inside(cells: Float32, box_px: Float32) -> Float32:
    """Return the cells (a view to write to) whose centres a box covers."""
    x1, y1, x2, y2 = np.clip(np.round(box_px / STRIDE_PX), 0, None).astype(int)
    return cells[y1:y2, x1:x2]


def _trusted_cells(trusted_px: Float32 | None, width: int, height: int) -> Float32:
    if trusted_px is None:
        return np.ones((height, width, 1), np.float32)
    cells = np.zeros((height, width, 1), np.float32)
    for box in trusted_px:
        _cells_inside(cells, box)[:] = 1.0
    return cells


def _paint(targets: Targets, box: Float32, label: int) -> None:
    """Paint one object; `box` in cells."""
    height, width = targets.heat.shape[:2]
    x, y = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
    middle_x, middle_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    column, row = min(int(middle_x), width - 1), min(int(middle_y), height - 1)
    sigma_x = max(_SIGMA_SHARE * float(box[2] - box[0]), _SIGMA_MIN_CELLS)
    sigma_y = max(_SIGMA_SHARE * float(box[3] - box[1]), _SIGMA_MIN_CELLS)
    # Around the centre cell rather than the centre, so that exactly that cell is 1.
    across = np.exp(-((x - x[column]) ** 2) / (2 * sigma_x**2))
    heat = np.exp(-((y - y[row]) ** 2) / (2 * sigma_y**2))[:, None] * across[None, :]
    targets.heat[..., label] = np.maximum(targets.heat[..., label], heat)
    claimed = heat > _BOX_HEAT
    # A cell outside of the box cannot say it in distances that are not negative.
    claimed &= ((x > box[0]) & (x < box[2]))[None, :] & ((y > box[1]) & (y < box[3]))[:, None]
    claimed[row, column] = True
    rows, columns = np.nonzero(claimed)
    distances = np.stack(
        [x[columns] - box[0], y[rows] - box[1], box[2] - x[columns], box[3] - y[rows]], axis=1
    )
    targets.distances[rows, columns] = np.maximum(distances, 0.0)
    # Each object counts once, as in TTFNet: small ones claim few cells, and their boxes came out too large.
    weight = heat[rows, columns]
    targets.box_weight[rows, columns, 0] = weight / weight.sum()
