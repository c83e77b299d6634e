"""Pictures made smaller and larger: by OpenCV where it is there, by numpy where memory is scarce.

OpenCV takes about 18 MB of a process. Numpy shrinks to the same picture, give or take one level of 255, in
some ten milliseconds instead of one.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edge_agent.vision.arrays import Float32, Rgb


class _Choice:
    """Whether OpenCV does it; asked at the first picture."""

    opencv: bool | None = None


def choose_numpy(*, lean: bool = True) -> None:
    """Leave OpenCV alone in this process from now on; `lean=False`: use it where it is installed."""
    _Choice.opencv = False if lean else None


def uses_opencv() -> bool:
    """Return whether OpenCV may be imported in this process."""
    if _Choice.opencv is None:
        _Choice.opencv = importlib.util.find_spec("cv2") is not None
    return _Choice.opencv


def resize(rgb: Rgb, width_px: int, height_px: int) -> Rgb:
    """Return a picture in another size.

    Shrinks by area averaging, so that thin things do not vanish; enlarges by bilinear interpolation.

    Args:
        rgb: `(h, w, 3) uint8`.
        width_px: Width of the result.
        height_px: Height of the result.
    """
    if rgb.shape[:2] == (height_px, width_px):
        return rgb
    if uses_opencv():
        return _by_opencv(rgb, width_px, height_px)
    return by_numpy(rgb, width_px, height_px)


def by_numpy(rgb: Rgb, width_px: int, height_px: int) -> Rgb:
    """Return what `resize` does, without OpenCV."""
    height, width = rgb.shape[:2]
    if height % height_px == 0 and width % width_px == 0:
        return _by_whole_cells(rgb, height // height_px, width // width_px)
    rows = _along(rgb.reshape(height, width * 3), height_px).reshape(height_px, width, 3)
    columns = _along(rows.transpose(1, 0, 2).reshape(width, height_px * 3), width_px)
    values = columns.reshape(width_px, height_px, 3).transpose(1, 0, 2)
    return np.ascontiguousarray(np.rint(values), np.uint8)


def _by_opencv(rgb: Rgb, width_px: int, height_px: int) -> Rgb:
    import cv2

    shrinks = width_px * height_px < rgb.shape[0] * rgb.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (width_px, height_px), interpolation=interpolation), np.uint8)


def _by_whole_cells(rgb: Rgb, down: int, across: int) -> Rgb:
    sums: npt.NDArray[np.uint32] = np.zeros(
        (rgb.shape[0] // down, rgb.shape[1] // across, 3), np.uint16 if down * across <= 257 else np.uint32
    )
    for row in range(down):
        for column in range(across):
            sums += rgb[row::down, column::across]
    cells = down * across
    return np.asarray((sums + cells // 2) // cells, np.uint8)


def _along(values: npt.NDArray[np.generic], size: int) -> Float32:
    """Return `(n, m)` as `(size, m) float32`: means of its rows, or values between them."""
    count = values.shape[0]
    plain = np.asarray(values, np.float32)
    return plain if size == count else np.asarray(_weights(count, size) @ plain, np.float32)


@lru_cache(maxsize=16)
def _weights(count: int, size: int) -> Float32:
    """Return `(size, count)`: what each old row gives to each new one."""
    if size < count:
        edges, cells = np.arange(size + 1) * (count / size), np.arange(count)
        ends = np.minimum(edges[1:, None], cells + 1)
        overlap = np.clip(ends - np.maximum(edges[:-1, None], cells), 0.0, None)
        return np.asarray(overlap * (size / count), np.float32)
    at = np.clip((np.arange(size) + 0.5) * (count / size) - 0.5, 0.0, count - 1.0)
    distance = np.abs(at[:, None] - np.arange(count))
    return np.asarray(np.clip(1.0 - distance, 0.0, None), np.float32)
