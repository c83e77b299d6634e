"""Small pictures that may leave the camera: unrecognisable unless their owner chose otherwise."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ElfowlError

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
    import cv2

    height_px, width_px = rgb.shape[:2]
    scale = max_px / max(height_px, width_px)
    if scale >= 1.0:
        return rgb.copy()
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def encode_jpeg(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """Return an (h, w, 3) uint8 RGB picture as JPEG.

    Raises:
        ElfowlError: The picture cannot be encoded.
    """
    import cv2

    message = f"a picture of shape {rgb.shape} cannot be encoded as JPEG"
    try:
        done, data = cv2.imencode(".jpg", rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise ElfowlError(message) from error
    if not done:
        raise ElfowlError(message)
    return data.tobytes()


def _to_pixels(boxes_norm: NDArray[np.float32], rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    height_px, width_px = rgb.shape[:2]
    size = np.array([width_px, height_px, width_px, height_px])
    outward = boxes_norm.reshape(-1, 4) * size
    corners = np.concatenate([np.floor(outward[:, :2]), np.ceil(outward[:, 2:])], axis=1)
    clipped: NDArray[np.int64] = np.clip(corners, 0, size).astype(np.int64)
    return clipped


def _blur(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height_px, width_px = rgb.shape[:2]
    coarse = shrink(rgb, _PICTURE_CELLS)
    return np.asarray(
        cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
    )


def _pixelate(rgb: NDArray[np.uint8], box_px: NDArray[np.int64]) -> None:
    import cv2

    x1, y1, x2, y2 = (int(value) for value in box_px)
    if x2 <= x1 or y2 <= y1:
        return
    region = rgb[y1:y2, x1:x2]
    coarse = shrink(region, _BOX_CELLS)
    rgb[y1:y2, x1:x2] = cv2.resize(coarse, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)


def _draw(rgb: NDArray[np.uint8], boxes_px: NDArray[np.int64]) -> None:
    import cv2

    for x1, y1, x2, y2 in boxes_px.tolist():
        cv2.rectangle(rgb, (x1, y1), (x2 - 1, y2 - 1), _OUTLINE_RGB, 1)
