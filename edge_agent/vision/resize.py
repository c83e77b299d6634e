"""Pictures made smaller and larger: by OpenCV where it is there, by numpy where memory is scarce.

OpenCV takes about 18 MB of a process. Numpy shrinks to the same picture, give or take one level of 255, in
some milliseconds instead of one, strip by strip, so that little memory holds what lies between.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edge_agent.vision.arrays import Float32, Int64, Rgb

# What lies between stays in the processor's cache, and is too small to be asked of the system each time.
_STRIP_BYTES = 48_000


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
    down, across = _taps(height, height_px), _taps(width, width_px)
    resized = np.empty((height_px, width_px, 3), np.uint8)
    count = max(1, _STRIP_BYTES // (max(width, width_px) * 3 * 4))
    for top in range(0, height_px, count):
        rows = slice(top, top + count)
        strip = _along_rows(_along_columns(rgb, down, rows), across)
        np.rint(strip, out=strip)
        resized[rows] = strip.reshape(-1, width_px, 3)
    return resized


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


@dataclass(frozen=True)
class _Taps:
    """Which old places each new one is mixed of: both `(k, size)`, weights beyond the edge are 0."""

    places: Int64
    weights: Float32


def _along_columns(rgb: Rgb, taps: _Taps, rows: slice) -> Float32:
    """Return the new rows of a picture that is still as wide as it was, `(n, w, 3) float32`."""
    mixed = np.zeros((len(taps.places[0, rows]), *rgb.shape[1:]), np.float32)
    for places, weights in zip(taps.places[:, rows], taps.weights[:, rows], strict=True):
        mixed += rgb[places] * weights[:, None, None]
    return mixed


def _along_rows(strip: Float32, taps: _Taps) -> Float32:
    """Return rows `(n, w, 3)` in their new width, `(n, size * 3)`."""
    mixed = np.zeros((len(strip), taps.places.shape[1] * 3), np.float32)
    for places, weights in zip(taps.places, taps.weights, strict=True):
        # Three in a row share a weight; written out, the multiplication is one long run.
        mixed += strip.take(places, axis=1).reshape(mixed.shape) * weights.repeat(3)
    return mixed


@lru_cache(maxsize=16)
def _taps(count: int, size: int) -> _Taps:
    """Return of which of `count` places each of `size` new ones is mixed."""
    if size == count:
        return _Taps(np.arange(size)[None], np.ones((1, size), np.float32))
    places, weights = _overlaps(count, size) if size < count else _neighbours(count, size)
    deep = int((weights > 0.0).sum(axis=1).max())
    return _Taps(np.minimum(places, count - 1).T[:deep], np.asarray(weights.T[:deep], np.float32))


def _overlaps(count: int, size: int) -> tuple[Int64, npt.NDArray[np.float64]]:
    """Return the old places that each of fewer new ones covers, and their shares of it; both `(size, k)`."""
    edges = np.minimum(np.arange(size + 1) * (count / size), count)
    # Only those it can cover: a table of all old and new places takes megabytes.
    places = np.floor(edges[:-1, None]).astype(np.int64) + np.arange(-(-count // size) + 1)
    ends = np.minimum(edges[1:, None], places + 1)
    return places, np.clip(ends - np.maximum(edges[:-1, None], places), 0.0, None) * (size / count)


def _neighbours(count: int, size: int) -> tuple[Int64, npt.NDArray[np.float64]]:
    """Return the two old places between which each of more new ones lies, and their shares: `(size, 2)`."""
    at = np.clip((np.arange(size) + 0.5) * (count / size) - 0.5, 0.0, count - 1.0)[:, None]
    places = np.floor(at).astype(np.int64) + np.arange(2)
    return places, np.clip(1.0 - np.abs(at - places), 0.0, None)
