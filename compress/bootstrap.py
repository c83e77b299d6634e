"""How sure a comparison of two detectors is: curves and paired bootstrap; pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compress.accuracy import AGREEMENT_IOU, Pictures, matched_boxes
from compress.protocol import TruthBox
from edge_agent.vision.nms import iou_matrix
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import LabelSpec

Float64 = npt.NDArray[np.float64]
Interval = tuple[float, float]

RESAMPLES = 400
RECALLS = np.linspace(0.0, 1.0, 101)

_SEED = 0
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Answers:
    """What a detector said of one class, picture by picture, matched with truth as COCO does at IoU 0.5.

    `scores[i] (n,)` and `right[i] (n,) bool` belong to picture i, `objects (pictures,)` counts its objects.
    """

    scores: tuple[Float64, ...]
    right: tuple[npt.NDArray[np.bool_], ...]
    objects: npt.NDArray[np.int64]


def answers(
    truth: Sequence[Sequence[TruthBox]], found: Pictures, labels: Sequence[LabelSpec]
) -> dict[str, Answers]:
    """Return the answers of every class that occurs in the truth, by slug."""
    used = sorted({box.label_index for boxes in truth for box in boxes})
    return {labels[index].slug: _answers_of(truth, found, index, labels[index].slug) for index in used}


def ap50(by_class: dict[str, Answers], pictures: npt.NDArray[np.intp] | None = None) -> float | None:
    """Return AP50, the mean over classes; none without an object.

    Args:
        by_class: From `answers`.
        pictures: Indices of the pictures that count, a picture as often as it is there; none: each once.
    """
    precisions = [curve(one, pictures) for one in by_class.values()]
    known = [precision.mean() for precision in precisions if precision is not None]
    return float(np.mean(known)) if known else None


def curve(one: Answers, pictures: npt.NDArray[np.intp] | None = None) -> Float64 | None:
    """Return the precision `(101,)` at `RECALLS`, made monotonous as COCO does; none without an object."""
    chosen = range(len(one.objects)) if pictures is None else pictures
    count = int(sum(one.objects[picture] for picture in chosen))
    if count == 0:
        return None
    scores = np.concatenate([one.scores[picture] for picture in chosen])
    right = np.concatenate([one.right[picture] for picture in chosen])
    right = right[np.argsort(-scores, kind="mergesort")]
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / count, RECALLS, side="left")
    return np.append(best, 0.0)[np.minimum(places, len(best))]


def ap50_change(full: dict[str, Answers], small: dict[str, Answers]) -> Interval | None:
    """Return the 95 % interval of AP50 of `small` less that of `full` ; none without truth."""
    count = len(next(iter(full.values())).objects) if full else 0

    def change(pictures: npt.NDArray[np.intp]) -> float | None:
        before, after = ap50(full, pictures), ap50(small, pictures)
        return None if before is None or after is None else after - before

    return _interval(count, change)


def agreement_interval(full: Pictures, small: Pictures) -> Interval | None:
    """Return the 95 % interval of `agreement_f1`, resampling pictures; none without pictures."""
    shared = np.array(
        [len(matched_boxes(one, other)) for one, other in zip(full, small, strict=True)], np.int64
    )
    boxes = np.array([len(one) + len(other) for one, other in zip(full, small, strict=True)], np.int64)

    def f1(pictures: npt.NDArray[np.intp]) -> float:
        total = int(boxes[pictures].sum())
        return 2 * int(shared[pictures].sum()) / total if total else 1.0

    return _interval(len(full), f1)


def _interval(count: int, statistic: Callable[[npt.NDArray[np.intp]], float | None]) -> Interval | None:
    """Return where the middle 95 % of a statistic lie when pictures are drawn anew with replacement."""
    if count == 0:
        return None
    random = np.random.default_rng(_SEED)
    values = [statistic(random.integers(0, count, count)) for _ in range(RESAMPLES)]
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = np.percentile(known, _PERCENTILES)
    return round(float(low), 4), round(float(high), 4)


def _answers_of(truth: Sequence[Sequence[TruthBox]], found: Pictures, index: int, slug: str) -> Answers:
    scores, right, objects = [], [], []
    for boxes, detections in zip(truth, found, strict=True):
        wanted = [box.box_xyxy_norm for box in boxes if box.label_index == index]
        ordered = sorted((one for one in detections if one.label == slug), key=lambda one: -one.score)[:100]
        scores.append(np.array([one.score for one in ordered], np.float64))
        right.append(_right(ordered, wanted))
        objects.append(len(wanted))
    return Answers(tuple(scores), tuple(right), np.array(objects, np.int64))


def _right(
    ordered: Sequence[Detection], wanted: Sequence[tuple[float, float, float, float]]
) -> npt.NDArray[np.bool_]:
    """Tell which detections, best first, hit an object that none before them hit."""
    right = np.zeros(len(ordered), np.bool_)
    if not ordered or not wanted:
        return right
    ious = iou_matrix(np.array([one.box for one in ordered], np.float32), np.array(wanted, np.float32))
    for row, overlap in enumerate(ious):
        partner = int(overlap.argmax())
        if overlap[partner] >= AGREEMENT_IOU:
            right[row] = True
            ious[:, partner] = 0.0
    return right
