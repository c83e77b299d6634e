"""Windows: the parts of a feature map that are learned from.

Most of a map is the same background over and over. Windows around objects plus some elsewhere teach as much
for a third of the work.
"""

from __future__ import annotations

import numpy as np

from edge_agent.vision.arrays import Float32

STRIDE_PX = 8
ALIGN_CELLS = 4
"""Windows begin at multiples of this, so that they fall on whole cells of stride 32."""

WINDOW_CELLS = 16

Corner = tuple[int, int]
"""Row and column, in stride-8 cells, of a window's first cell."""


def window_size(size_px: tuple[int, int]) -> tuple[int, int]:
    """Return (rows, columns) of a window for an input of (width, height): 16, less for smaller inputs."""
    return min(WINDOW_CELLS, size_px[1] // STRIDE_PX), min(WINDOW_CELLS, size_px[0] // STRIDE_PX)


def all_windows(size_px: tuple[int, int]) -> list[Corner]:
    """Return windows that cover the whole input; the last row and column may overlap those before."""
    rows, columns = window_size(size_px)
    return [
        (row, column)
        for row in _steps(size_px[1] // STRIDE_PX, rows)
        for column in _steps(size_px[0] // STRIDE_PX, columns)
    ]


def _steps(cells: int, window: int) -> list[int]:
    return [*range(0, cells - window, window), cells - window]


def choose_windows(
    boxes_px: Float32,
    size_px: tuple[int, int],
    count: int,
    random: np.random.Generator,
    window: tuple[int, int] | None = None,
) -> list[Corner]:
    """Return up to `count` different windows: all but one around objects, as far as there are any.

    Args:
        boxes_px: `(n, 4) float32 xyxy` in pixels of the input, cut at its edges.
        size_px: (width, height) of the input.
        count: How many windows.
        random: Where each lies around its object, and which objects.
        window: (rows, columns) of a window; none = what fits the input.
    """
    window = window or window_size(size_px)
    chosen: dict[Corner, None] = {}
    objects = boxes_px[(boxes_px[:, 2] - boxes_px[:, 0] > 1) & (boxes_px[:, 3] - boxes_px[:, 1] > 1)]
    for box in random.permutation(objects)[: count - 1]:
        chosen[_around((box[:2] + box[2:]) / 2 / STRIDE_PX, size_px, window, random)] = None
    # Few attempts: a small input has fewer windows than were asked for.
    for _ in range(4 * count):
        if len(chosen) >= count:
            break
        anywhere = random.random(2) * np.array(size_px) / STRIDE_PX
        chosen[_around(anywhere, size_px, window, random)] = None
    return list(chosen)


def _around(
    centre_cells: Float32,
    size_px: tuple[int, int],
    window: tuple[int, int],
    random: np.random.Generator,
) -> Corner:
    """Return a window that has the point in its inner half."""
    corner = []
    for middle, length_px, cells in zip(centre_cells[::-1], size_px[::-1], window, strict=True):
        start = middle - cells / 2 + random.uniform(-cells / 4, cells / 4)
        aligned = round(float(start) / ALIGN_CELLS) * ALIGN_CELLS
        corner.append(int(np.clip(aligned, 0, length_px // STRIDE_PX - cells)))
    return corner[0], corner[1]


def inner_cells(
    corner: Corner, size_px: tuple[int, int], window: tuple[int, int], *, is_part: bool
) -> Float32:
    """Return `(rows, columns, 1) float32`: 0 on the rim, whose neighbours the block cannot see, else 1.

    Args:
        corner: Of the window.
        size_px: (width, height) of the input, or of the tile.
        window: (rows, columns) of the window.
        is_part: Whether something else begins beyond `size_px`: then its edges are rim too.
    """
    rows, columns = window
    mask = np.ones((rows, columns, 1), np.float32)
    if is_part or corner[0] > 0:
        mask[0] = 0
    if is_part or corner[1] > 0:
        mask[:, 0] = 0
    if is_part or corner[0] + rows < size_px[1] // STRIDE_PX:
        mask[-1] = 0
    if is_part or corner[1] + columns < size_px[0] // STRIDE_PX:
        mask[:, -1] = 0
    return mask
