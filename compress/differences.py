"""What changed, to look at: precision against recall, and labelled frames on which the answers differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compress.accuracy import above, matched_boxes
from compress.bootstrap import answers, curve
from compress.order import Order
from compress.protocol import Rgb
from edge_agent.runtime.npy import read_array
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.detection import Detection
from edge_agent.wire.receipt import Curve, FrameDifference

_MOST_FRAMES = 10
_FRAME_WIDTH_PX = 360
_JPEG_QUALITY = 70

Seen = Sequence[Sequence[Detection]]


@dataclass(frozen=True)
class DrawnFrame:
    """One frame with both answers, and its picture, small, as JPEG."""

    told: FrameDifference
    jpeg: bytes


def curves(order: Order, held_out: Mapping[str, Seen]) -> tuple[Curve, ...]:
    """Return precision at 101 recalls of each form (`held_out` by form) and each class in the test set."""
    found = []
    for form, seen in held_out.items():
        for label, one in answers(order.pictures.truth, seen, order.detector.labels).items():
            precision = curve(one)
            if precision is not None:
                numbers = tuple(round(value, 4) for value in precision.tolist())
                found.append(Curve(form=form, label=label, precision=numbers))
    return tuple(found)


def different_frames(
    order: Order, full: Seen, small: Seen, thresholds: Mapping[str, float]
) -> tuple[DrawnFrame, ...]:
    """Return up to ten frames of the test set on which the answers differ most; none where they never do.

    Only frames that the owner labelled: others may show what nobody has looked at.

    Args:
        order: Its pictures are those of the test set.
        full: The full detector's answers, picture by picture.
        small: The small one's.
        thresholds: The small one's, by slug.
    """
    before, after = above(full, order.thresholds), above(small, thresholds)
    differing = [
        len(one) + len(other) - 2 * len(matched_boxes(one, other))
        for one, other in zip(before, after, strict=True)
    ]
    worst = sorted((index for index, count in enumerate(differing) if count), key=lambda i: -differing[i])
    return tuple(_drawn(order, index, before[index], after[index]) for index in sorted(worst[:_MOST_FRAMES]))


def _drawn(order: Order, index: int, before: Sequence[Detection], after: Sequence[Detection]) -> DrawnFrame:
    pictures = order.pictures
    told = FrameDifference(
        picture=pictures.names[index],
        before=tuple(found.box for found in before),
        after=tuple(found.box for found in after),
        truth=tuple(box.box_xyxy_norm for box in pictures.truth[index]),
    )
    return DrawnFrame(told, _jpeg(read_array(pictures.held_out[index])))


def _jpeg(rgb: Rgb) -> bytes:
    import cv2

    height_px, width_px = rgb.shape[:2]
    scale = min(1.0, _FRAME_WIDTH_PX / width_px)
    small = letterbox(rgb, round(width_px * scale), max(1, round(height_px * scale)), 127).pixels
    encoded: Any = cv2.imencode(
        ".jpg", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )[1]
    return bytes(encoded.tobytes())
