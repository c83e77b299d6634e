"""The same frames as they would be at dusk, with noise, out of focus, from a camera that was moved.

Each change is deterministic: by its seed and the name of the frame. They are models of what happens, not
pictures of it: a detector that holds here may still fail on a real rainy night.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from PIL import Image

from cloud.datasets.frames import LabelledBox, LabelledFrame
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm

_REFERENCE_PX = 768
_LEAST_SHARE_LEFT = 0.4
_BORDER = (114, 114, 114)

Turned = tuple[LabelledFrame, Rgb]
Random = np.random.Generator


@dataclass(frozen=True)
class Condition:
    """One way in which pictures get worse."""

    name: str
    words: str
    apply: Callable[[LabelledFrame, Rgb, Random], Turned]

    def change(self, frame: LabelledFrame, rgb: Rgb, *, seed: int = 0) -> Turned:
        """Return a frame and its picture `(h, w, 3) uint8 RGB` changed; the same every time."""
        digest = hashlib.sha256(f"{seed} {self.name} {frame.source.name}".encode()).digest()
        return self.apply(frame, rgb, np.random.default_rng(int.from_bytes(digest[:8], "big")))


def _dusk(frame: LabelledFrame, rgb: Rgb, random: Random) -> Turned:
    """A quarter of the light, bluish, and the noise of a sensor that amplifies what is left."""
    light = (rgb / 255.0) ** 1.4 * np.array([0.25, 0.27, 0.32])
    noisy = light + random.normal(0.0, 0.012, rgb.shape)
    return frame, _bytes(noisy * 255.0 * 1.3)


def _noise(frame: LabelledFrame, rgb: Rgb, random: Random) -> Turned:
    return frame, _bytes(rgb + random.normal(0.0, 20.0, rgb.shape))


def _blur(frame: LabelledFrame, rgb: Rgb, _random: Random) -> Turned:
    import cv2

    sigma = 2.0 * rgb.shape[1] / _REFERENCE_PX
    return frame, np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), np.uint8)


def _jpeg(frame: LabelledFrame, rgb: Rgb, _random: Random) -> Turned:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=15)
    return frame, np.asarray(Image.open(stream).convert("RGB"), np.uint8)


@dataclass(frozen=True)
class _Move:
    """How the camera was moved: turned by degrees, zoomed, shifted by shares of the width and height."""

    degrees: float = 0.0
    zoom: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0


def _moved(frame: LabelledFrame, rgb: Rgb, random: Random, *, move: _Move) -> Turned:
    """Move to a side that depends on the frame; what comes in at the edges is grey."""
    import cv2

    side_x, side_y, turn = random.choice([-1.0, 1.0], 3)
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn * move.degrees, move.zoom)
    matrix[:, 2] += (side_x * move.shift_x * width, side_y * move.shift_y * height)
    picture = cv2.warpAffine(rgb, matrix, (width, height), borderValue=_BORDER)
    boxes = [_moved_box(box, matrix, (width, height)) for box in frame.boxes]
    kept = tuple(box for box in boxes if box is not None)
    return replace(frame, boxes=kept), np.asarray(picture, np.uint8)


def _moved_box(box: LabelledBox, matrix: Any, size_px: tuple[int, int]) -> LabelledBox | None:  # noqa: ANN401 - (2, 3) float64
    """Return where a box is now: around the turned ellipse in it, which is nearer an object than its corners.

    None when less than 40 % of it is still in the picture.
    """
    scale = np.array([size_px[0], size_px[1]] * 2)
    x1, y1, x2, y2 = np.array(box.box_xyxy_norm) * scale
    center = matrix @ np.array([(x1 + x2) / 2, (y1 + y2) / 2, 1.0])
    half = np.array([(x2 - x1) / 2, (y2 - y1) / 2])
    reach = np.sqrt(((matrix[:, :2] * half) ** 2).sum(1))
    around = np.concatenate([center - reach, center + reach]) / scale
    inside = np.clip(around, 0.0, 1.0)
    if _area(inside) < _LEAST_SHARE_LEFT * _area(around):
        return None
    place: XyxyNorm = tuple(inside.tolist())
    return LabelledBox(box.label, place)


def _area(box: Any) -> float:  # noqa: ANN401 - (4,) float64
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _bytes(values: Any) -> Rgb:  # noqa: ANN401 - (h, w, 3) float64
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _shift(**move: float) -> Callable[[LabelledFrame, Rgb, Random], Turned]:
    return partial(_moved, move=_Move(**move))


CONDITIONS: Final = (
    Condition("dusk", "a third of the light, sensor noise", _dusk),
    Condition("noise", "a grainy picture (sigma 20 of 255)", _noise),
    Condition("blur", "out of focus (sigma 2 px at 768 px width)", _blur),
    Condition("jpeg", "compressed hard (JPEG quality 15)", _jpeg),
    Condition("shifted", "camera moved by 10 % of the picture", _shift(shift_x=0.1, shift_y=0.05)),
    Condition("turned", "camera turned by 5 degrees", _shift(degrees=5.0)),
    Condition("nearer", "zoomed in by a quarter", _shift(zoom=1.25)),
    Condition("farther", "zoomed out by a fifth", _shift(zoom=0.8)),
)
