"""What corrections teach: pure functions of what was said and of the frame that it was said about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np

from cloud.datasets.frames import LabelledBox, LabelledFrame
from edge_agent.vision.nms import iou_matrix
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.correction import Correction

Standing = Literal["lesson", "waiting", "needs_box", "needs_label", "no_detector", "no_picture", "withdrawn"]
"""What becomes of a correction: it teaches, or what it lacks."""

STANDINGS: dict[Standing, str] = {
    "lesson": "an example for the next version",
    "waiting": "waits for the clear picture, which the camera was asked for",
    "needs_box": "waits for a box: draw where it is",
    "needs_label": "waits for the name of what it is",
    "no_detector": "teaches nothing: it is not known which detector it is about",
    "no_picture": "teaches nothing: its picture cannot come, or is only to test on",
    "withdrawn": "was taken back",
}

# Farther around there may be what nobody spoke of: to take it for background made detectors worse.
_MARGIN = 0.1
_SAME_IOU = 0.5


def standing_of(said: Correction, *, taught: bool, picture: bool, can_come: bool) -> Standing:
    """Return what becomes of a correction.

    Args:
        said: The correction.
        taught: Whether it is known which detector it teaches.
        picture: Whether the picture is there.
        can_come: Whether it can still come.
    """
    if said.withdrawn is not None:
        return "withdrawn"
    if not taught:
        return "no_detector"
    if not picture:
        return "waiting" if can_come else "no_picture"
    if said.box is None:
        return "needs_box"
    return "needs_label" if said.label is None and said.verdict != "wrong" else "lesson"


def newest_of_each(said: Iterable[Correction]) -> list[Correction]:
    """Return corrections oldest first, of each event only the last: who changes their mind means that."""
    newest: dict[str, Correction] = {}
    for one in sorted(said, key=lambda one: (one.created, one.id)):
        key = one.event_id if one.event_id is not None and one.verdict != "missed" else one.id
        newest.pop(key, None)
        newest[key] = one
    return list(newest.values())


def correct(frame: LabelledFrame, said: Correction) -> LabelledFrame:
    """Return a frame as it is after a correction, which needs a box.

    "Wrong" makes the place background that is worth learning harder; all others make it an object of the
    class that was named. What was known of the same place before goes. In a frame that was not looked at as a
    whole the place, with a margin, becomes trusted.
    """
    if said.box is None or (said.verdict != "wrong" and said.label is None):
        return frame
    is_wrong = said.verdict == "wrong"
    others = tuple(box for box in frame.boxes if not _is_same(box.box_xyxy_norm, said.box))
    negatives = tuple(box for box in frame.hard_negative_xyxy_norm if not _is_same(box, said.box))
    trusted = frame.trusted_xyxy_norm
    if trusted is not None:
        trusted = (*trusted, around(said.box, _MARGIN))
    return replace(
        frame,
        boxes=others if is_wrong else (*others, LabelledBox(str(said.label), said.box)),
        hard_negative_xyxy_norm=(*negatives, said.box) if is_wrong else negatives,
        trusted_xyxy_norm=trusted,
    )


def around(box: XyxyNorm, margin: float) -> XyxyNorm:
    """Return a box with a margin of `margin` times its own size on each side, within the picture."""
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) * margin, (y2 - y1) * margin
    return (max(0.0, x1 - dx), max(0.0, y1 - dy), min(1.0, x2 + dx), min(1.0, y2 + dy))


def _is_same(box: XyxyNorm, other: XyxyNorm) -> bool:
    pair = iou_matrix(np.array([box], np.float32), np.array([other], np.float32))
    return float(pair[0, 0]) >= _SAME_IOU
