"""Small pictures that may leave the camera: unrecognisable unless their owner chose otherwise."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.report.jpeg import by_opencv, by_pyav
from edge_agent.vision.resize import resize, uses_opencv

SnapshotStyle = Literal["picture", "boxes", "clear"]

# A face or a number plate is gone at these sizes; that somebody stands at the door is not.
_PICTURE_CELLS = 40
_BOX_CELLS = 8
_JPEG_QUALITY = 80
_OUTLINE_RGB = (255, 176, 0)


def make_snapshot(
    rgb: NDArray[np.uint8],
    boxes_norm: NDArray[np.float32],
    *,
    style: SnapshotStyle = "picture",
    max_px: int = 320,
    outline: bool = True,
) -> bytes:
    """Return a small JPEG of a frame.

    Args:
        rgb: (h, w, 3) uint8.
        boxes_norm: (n, 4) float32 xyxy as fractions of the frame; what was seen.
        style: `picture` blurs everything and pixelates the boxes, `boxes` only pixelates the boxes, `clear`
            does neither.
        max_px: Longest side of the result.
        outline: Draw the boxes.
    """
    small = shrink(rgb, max_px)
    boxes_px = _to_pixels(boxes_norm, small)
    if style == "picture":
        small = _blur(small)
    if style != "clear":
        for box in boxes_px:
            _pixelate(small, box)
    if outline:
        _draw(small, boxes_px)
    return encode_jpeg(small, _JPEG_QUALITY)


def shrink(rgb: NDArray[np.uint8], max_px: int) -> NDArray[np.uint8]:
    """Return a copy of an (h, w, 3) picture whose longest side is at most `max_px`."""
    height_px, width_px = rgb.shape[:2]
    scale = max_px / max(height_px, width_px)
    if scale >= 1.0:
        return rgb.copy()
    return resize(rgb, max(1, round(width_px * scale)), max(1, round(height_px * scale)))


def encode_jpeg(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """Return an (h, w, 3) uint8 RGB picture as JPEG.

    Raises:
        ElfowlError: The picture cannot be encoded.
    """
    return by_opencv(rgb, quality) if uses_opencv() else by_pyav(rgb, quality)


def _to_pixels(boxes_norm: NDArray[np.float32], rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    height_px, width_px = rgb.shape[:2]
    size = np.array([width_px, height_px, width_px, height_px])
    outward = boxes_norm.reshape(-1, 4) * size
    corners = np.concatenate([np.floor(outward[:, :2]), np.ceil(outward[:, 2:])], axis=1)
    clipped: NDArray[np.int64] = np.clip(corners, 0, size).astype(np.int64)
    return clipped


def _blur(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height_px, width_px = rgb.shape[:2]
    return resize(shrink(rgb, _PICTURE_CELLS), width_px, height_px)


def _pixelate(rgb: NDArray[np.uint8], box_px: NDArray[np.int64]) -> None:
    x1, y1, x2, y2 = (int(value) for value in box_px)
    if x2 <= x1 or y2 <= y1:
        return
    coarse = shrink(rgb[y1:y2, x1:x2], _BOX_CELLS)
    rows = np.arange(y2 - y1) * coarse.shape[0] // (y2 - y1)
    columns = np.arange(x2 - x1) * coarse.shape[1] // (x2 - x1)
    rgb[y1:y2, x1:x2] = coarse[rows[:, None], columns]


def _draw(rgb: NDArray[np.uint8], boxes_px: NDArray[np.int64]) -> None:
    for x1, y1, x2, y2 in boxes_px.tolist():
        if x2 > x1 and y2 > y1:
            rgb[[y1, y2 - 1], x1:x2] = _OUTLINE_RGB
            rgb[y1:y2, [x1, x2 - 1]] = _OUTLINE_RGB
