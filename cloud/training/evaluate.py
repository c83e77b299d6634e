"""How good a detector is: COCO's average precision, and the threshold to recommend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from cloud.detector.full import FullDetector
from cloud.detector.spec import ClassQuality, Quality
from cloud.errors import InputError
from cloud.training.threshold import ScoredMatches, match, recommend_threshold
from edge_agent.wire.detection import Detection

SCORE_FLOOR = 0.02
"""Average precision looks at weak detections too; weaker ones than this change nothing."""

_BATCH = 4


def evaluate(detector: FullDetector, frames: Sequence[LabelledFrame]) -> Quality:
    """Run a detector on labelled frames and compare.

    Args:
        detector: What to evaluate.
        frames: Frames that it has not learned from. Those that were looked at only in part are left out.

    Raises:
        InputError: No frame is left, or a picture cannot be read.
    """
    whole = {frame.source: frame for frame in frames if frame.trusted_xyxy_norm is None}
    if not whole:
        message = "nothing to evaluate on: label at least one whole frame that training has not seen"
        raise InputError(message)
    answered: list[AnsweredFrame] = []
    batch: list[tuple[LabelledFrame, Any]] = []
    for source, rgb in read_pictures(whole):
        batch.append((whole[source], rgb))
        if len(batch) == _BATCH:
            answered += _answer(detector, batch)
            batch = []
    answered += _answer(detector, batch)
    return measure(answered, [label.name for label in detector.labels])


@dataclass(frozen=True)
class AnsweredFrame:
    """A labelled frame and what a detector said about it, from `SCORE_FLOOR` on."""

    frame: LabelledFrame
    detections: tuple[Detection, ...]


def _answer(detector: FullDetector, batch: Sequence[tuple[LabelledFrame, Any]]) -> list[AnsweredFrame]:
    answers = detector.detect_many([rgb for _, rgb in batch], score_floor=SCORE_FLOOR)
    return [
        AnsweredFrame(frame, tuple(detections)) for (frame, _), detections in zip(batch, answers, strict=True)
    ]


def measure(answered: Sequence[AnsweredFrame], classes: Sequence[str]) -> Quality:
    """Return average precision and thresholds, a class and over all classes that have objects."""
    matches = {name: _matches(answered, name) for name in classes}
    table = _precision_table(answered, classes)
    per_class = {
        name: ClassQuality(
            ap50=table[name][0],
            ap=table[name][1],
            truth=matches[name].truth,
            threshold=recommend_threshold(matches[name]),
        )
        for name in classes
    }
    seen = [quality for quality in per_class.values() if quality.truth]
    everything = ScoredMatches(
        np.concatenate([matches[name].scores for name in classes]),
        np.concatenate([matches[name].right for name in classes]),
        sum(matches[name].truth for name in classes),
    )
    return Quality(
        ap50=float(np.mean([quality.ap50 for quality in seen])) if seen else 0.0,
        ap=float(np.mean([quality.ap for quality in seen])) if seen else 0.0,
        per_class=per_class,
        threshold=recommend_threshold(everything),
        images=len(answered),
    )


def _matches(answered: Sequence[AnsweredFrame], name: str) -> ScoredMatches:
    return match(
        [
            (
                [(detection.score, detection.box) for detection in one.detections if detection.label == name],
                [box.box_xyxy_norm for box in one.frame.boxes if box.label == name],
            )
            for one in answered
        ]
    )


def _precision_table(
    answered: Sequence[AnsweredFrame], classes: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Return (AP at IoU 0.5, AP over 0.5 to 0.95) of each class; 0 for a class without objects."""
    truth, answers = _as_coco(answered, classes)
    if not truth["annotations"] or not answers:
        return dict.fromkeys(classes, (0.0, 0.0))
    coco = COCO(truth)
    evaluation = COCOeval_faster(coco, coco.loadRes(answers), "bbox", print_function=_silent)
    evaluation.evaluate()
    evaluation.accumulate()
    # (IoU, recall, class, area, detections) with -1 where there is nothing to recall
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    table = {}
    for index, name in enumerate(classes):
        own = precision[:, :, index]
        known = bool((own > -1).any())
        table[name] = (_mean(own[0]), _mean(own)) if known else (0.0, 0.0)
    return table


def _mean(precision: np.ndarray[Any, Any]) -> float:
    return float(np.clip(precision[precision > -1].mean(), 0.0, 1.0))


def _silent(*_: object) -> None:
    """Say nothing: the library prints its progress."""


def _as_coco(
    answered: Sequence[AnsweredFrame], classes: Sequence[str]
) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    category = {name: index + 1 for index, name in enumerate(classes)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for number, one in enumerate(answered, 1):
        size = (one.frame.width_px, one.frame.height_px)
        images.append({"id": number, "width": size[0], "height": size[1]})
        for box in one.frame.boxes:
            if box.label in category:
                place = _xywh(box.box_xyxy_norm, size)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": category[box.label],
                        "bbox": place,
                        "area": place[2] * place[3],
                        "iscrowd": 0,
                    }
                )
        answers += [
            {
                "image_id": number,
                "category_id": category[detection.label],
                "bbox": _xywh(detection.box, size),
                "score": detection.score,
            }
            for detection in one.detections
        ]
    categories = [{"id": identifier, "name": name} for name, identifier in category.items()]
    return {"images": images, "annotations": annotations, "categories": categories}, answers


def _xywh(box_norm: tuple[float, float, float, float], size_px: tuple[int, int]) -> list[float]:
    x1, y1, x2, y2 = box_norm
    return [x1 * size_px[0], y1 * size_px[1], (x2 - x1) * size_px[0], (y2 - y1) * size_px[1]]
