"""Boxes drawn on pictures, for previews and snapshots."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection

# Okabe and Ito's colours: told apart by colour-blind people too.
_PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def draw_detections(rgb: Rgb, detections: Sequence[Detection]) -> Rgb:
    """Return a copy of the picture `(h, w, 3) uint8` with a box, label and score for every detection."""
    picture = np.ascontiguousarray(rgb).copy()
    for detection in detections:
        _draw_one(picture, detection)
    return picture


def label_colour(label: str) -> tuple[int, int, int]:
    """Return the RGB colour of a label: always the same for the same text."""
    return _PALETTE[zlib.crc32(label.encode()) % len(_PALETTE)]


def _draw_one(picture: Rgb, detection: Detection) -> None:
    import cv2

    height_px, width_px = picture.shape[:2]
    x1, y1, x2, y2 = detection.box
    corner = (round(x1 * (width_px - 1)), round(y1 * (height_px - 1)))
    opposite = (round(x2 * (width_px - 1)), round(y2 * (height_px - 1)))
    line_px = max(1, min(width_px, height_px) // 240)
    colour = label_colour(detection.label)
    cv2.rectangle(picture, corner, opposite, colour, line_px)
    text = f"{detection.label} {detection.score:.0%}"
    font, font_scale = cv2.FONT_HERSHEY_SIMPLEX, max(0.35, min(width_px, height_px) / 900)
    (text_width_px, text_height_px), baseline_px = cv2.getTextSize(text, font, font_scale, line_px)
    left_px = max(0, min(corner[0], width_px - text_width_px))
    top_px = max(corner[1], text_height_px + baseline_px)
    plate = (left_px + text_width_px, top_px - text_height_px - baseline_px)
    cv2.rectangle(picture, (left_px, top_px), plate, colour, cv2.FILLED)
    cv2.putText(
        picture, text, (left_px, top_px - baseline_px), font, font_scale, (0, 0, 0), line_px, cv2.LINE_AA
    )
