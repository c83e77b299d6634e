"""What a detector that reports from its thresholds on got right and wrong, and what it took for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.datasets.frames import LabelledBox, LabelledFrame
from cloud.evaluation.matching import iou_table
from cloud.training.evaluate import AnsweredFrame
from cloud.training.threshold import MATCH_IOU
from edge_agent.wire.detection import Detection


@dataclass(frozen=True)
class Looked:
    """One frame compared: `found[i]` is the detection that found object i of the frame, or none."""

    frame: LabelledFrame
    found: tuple[Detection | None, ...]
    false_alarms: tuple[Detection, ...]

    @property
    def missed(self) -> list[LabelledBox]:
        """Return the objects that nothing found."""
        return [box for box, hit in zip(self.frame.boxes, self.found, strict=True) if hit is None]


def reported(one: AnsweredFrame, thresholds: Mapping[str, float]) -> list[Detection]:
    """Return the detections that the detector would report, best first."""
    strong = [each for each in one.detections if each.score >= thresholds.get(each.label, 1.1)]
    return sorted(strong, key=lambda each: -each.score)


def look(one: AnsweredFrame, thresholds: Mapping[str, float]) -> Looked:
    """Compare what the detector reports with the truth, class by class, at IoU 0.5.

    Args:
        one: A frame and what was found in it.
        thresholds: By class, from which score on it is reported. Objects of other classes are left out.
    """
    boxes = tuple(box for box in one.frame.boxes if box.label in thresholds)
    frame = LabelledFrame(
        one.frame.source, one.frame.width_px, one.frame.height_px, boxes, one.frame.trusted_xyxy_norm
    )
    found: list[Detection | None] = [None] * len(boxes)
    wrong = []
    for each in reported(one, thresholds):
        free = [i for i, box in enumerate(boxes) if found[i] is None and box.label == each.label]
        best = _best(each, boxes, free, frame)
        if best is None:
            wrong.append(each)
        else:
            found[best] = each
    return Looked(frame, tuple(found), tuple(wrong))


def _best(
    each: Detection, boxes: Sequence[LabelledBox], free: Sequence[int], frame: LabelledFrame
) -> int | None:
    """Return which free object a detection finds."""
    size = (frame.width_px, frame.height_px)
    overlaps = iou_table([each.box], [boxes[i].box_xyxy_norm for i in free], size)
    if not overlaps.size or overlaps.max() < MATCH_IOU:
        return None
    return free[int(overlaps.argmax())]


def confusion(answered: Sequence[AnsweredFrame], thresholds: Mapping[str, float]) -> NDArray[np.int64]:
    """Count what was taken for what, `(classes + 1, classes + 1) int64`.

    Row: the class of the object, the last row where there is none (false alarms). Column: what the detector
    said, the last column where it said nothing (missed). A detection may match an object of another class.
    """
    names = list(thresholds)
    table = np.zeros((len(names) + 1, len(names) + 1), np.int64)
    for one in answered:
        size = (one.frame.width_px, one.frame.height_px)
        boxes = [box for box in one.frame.boxes if box.label in thresholds]
        said = reported(one, thresholds)
        overlaps = iou_table([each.box for each in said], [box.box_xyxy_norm for box in boxes], size)
        pairs = _pair(said, boxes, overlaps)
        for number, each in enumerate(said):
            truth = pairs.get(number)
            row = len(names) if truth is None else names.index(boxes[truth].label)
            table[row, names.index(each.label)] += 1
        for number in set(range(len(boxes))) - set(pairs.values()):
            table[names.index(boxes[number].label), -1] += 1
    return table


def _pair(
    said: Sequence[Detection], boxes: Sequence[LabelledBox], overlaps: NDArray[np.float64]
) -> dict[int, int]:
    """Pair detections with objects: first those of the same class, then, of what is left, any."""
    pairs: dict[int, int] = {}
    for same in (True, False):
        for number, each in enumerate(said):
            free = [
                i
                for i, box in enumerate(boxes)
                if i not in pairs.values() and overlaps[number, i] >= MATCH_IOU
                and (box.label == each.label or not same)
            ]  # fmt: skip
            if number not in pairs and free:
                pairs[number] = max(free, key=lambda i: overlaps[number, i])
    return pairs
