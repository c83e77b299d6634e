"""Numbers that tell whether two boxes show the same thing: from a network's map, or from the picture alone.

Both keep the arrangement of what is in the box, so that they are for things that look the same again, not for
things of one kind.
"""

from __future__ import annotations

import numpy as np

from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.few_shot import unit
from edge_agent.vision.resize import resize

_POOL = 2
_SAMPLES = 4
"""Of a pooled cell, a side: boxes smaller than a cell of the map are sampled too."""

_CHANNELS_USED = 128
_CROP_WIDTH = 8
_CROP_HEIGHT = 12
# A little of what is around: boxes are never twice quite the same.
_AROUND_SHARE = 0.15
MAP_SPACE = "map-2x2"
CROP_SPACE = "crop-8x12"


def describe_on_map(features: Float32, boxes: Float32) -> Float32:
    """Return what a network's map holds under each box: the means of its four quarters.

    Args:
        features: `(h, w, c) float32`, real values; of very wide ones the first 128 channels tell enough.
        boxes: `(n, 4) float32 xyxy` as fractions of the map.

    Returns:
        `(n, 4 * c) float32`, each of length 1.
    """
    features = features[:, :, :_CHANNELS_USED]
    rows = _positions(boxes[:, 1], boxes[:, 3], features.shape[0], _POOL * _SAMPLES)
    columns = _positions(boxes[:, 0], boxes[:, 2], features.shape[1], _POOL * _SAMPLES)
    sampled = features[rows[:, :, None], columns[:, None, :]]
    channels = features.shape[2]
    quarters = sampled.reshape(len(boxes), _POOL, _SAMPLES, _POOL, _SAMPLES, channels).mean(axis=(2, 4))
    return unit(np.asarray(quarters.reshape(len(boxes), _POOL * _POOL * channels), np.float32))


def describe_on_picture(rgb: Rgb, boxes: Float32) -> Float32:
    """Return what the picture holds in each box: a tiny copy of it, without its brightness and contrast.

    Args:
        rgb: `(h, w, 3) uint8`.
        boxes: `(n, 4) float32 xyxy` as fractions of the picture.

    Returns:
        `(n, 288) float32`, each of length 1; of a box of one colour all zeros.
    """
    tiny = [_tiny(rgb, box) for box in boxes]
    values = np.array(tiny, np.float32).reshape(len(boxes), _CROP_WIDTH * _CROP_HEIGHT, 3)
    values -= values.mean(axis=1, keepdims=True)
    return unit(values.reshape(len(boxes), _CROP_WIDTH * _CROP_HEIGHT * 3))


def _tiny(rgb: Rgb, box: Float32) -> Rgb:
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = (float(value) for value in box)
    more_x, more_y = _AROUND_SHARE * (x2 - x1), _AROUND_SHARE * (y2 - y1)
    left = min(width - 1, max(0, round((x1 - more_x) * width)))
    top = min(height - 1, max(0, round((y1 - more_y) * height)))
    right = max(left + 1, round((x2 + more_x) * width))
    bottom = max(top + 1, round((y2 + more_y) * height))
    crop = np.ascontiguousarray(rgb[top:bottom, left:right])
    return resize(crop, _CROP_WIDTH, _CROP_HEIGHT)


def _positions(low: Float32, high: Float32, size: int, count: int) -> np.typing.NDArray[np.int64]:
    """Return the cells `(n, count)` at which intervals of 0..1 are sampled evenly."""
    shares = (np.arange(count, dtype=np.float32) + 0.5) / count
    at = (low[:, None] + shares * (high - low)[:, None]) * size
    return np.clip(at.astype(np.int64), 0, size - 1)
