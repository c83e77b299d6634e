"""COCO's numbers, by the library faster-coco-eval: average precision, a class and a size of object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from cloud.training.evaluate import AnsweredFrame
from edge_agent.wire.base import XyxyNorm

SIZES: Final = ("all", "small", "medium", "large")
"""In COCO's order: small is below 32 x 32 pixels of the picture as it was labelled, large above 96 x 96."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Precision:
    """AP at IoU 0.5 and AP over IoU 0.5 to 0.95; none where there is no object. `truth` counts objects."""

    ap50: float | None
    ap: float | None
    truth: int


CocoTable = dict[str, dict[str, Precision]]
"""By class name, then by size."""


def coco_table(truth: dict[str, Any], answers: Sequence[Row]) -> CocoTable:
    """Return average precision by class and size.

    Args:
        truth: A COCO document as parsed JSON; annotations need `area` and `iscrowd`.
        answers: Rows of a COCO result file.
    """
    names = {row["id"]: row["name"] for row in truth["categories"]}
    precision = precision_array(truth, answers)
    table: CocoTable = {}
    for index, identifier in enumerate(sorted(names)):
        table[names[identifier]] = {
            size: Precision(
                mean_or_none(precision[0, :, index, place, -1]),
                mean_or_none(precision[:, :, index, place, -1]),
                _count(truth, identifier, place),
            )
            for place, size in enumerate(SIZES)
        }
    return table


def precision_array(truth: dict[str, Any], answers: Sequence[Row]) -> NDArray[np.float64]:
    """Return COCO's precision `(IoU, recall, class, size, detections)`; -1 where there is nothing to find."""
    coco = COCO(_copied(truth))
    evaluation = COCOeval_faster(coco, _result(coco, answers), "bbox", print_function=_silent)
    evaluation.evaluate()
    evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"], np.float64)


def overall(table: CocoTable, size: str = "all") -> Precision:
    """Return the mean over all classes that have objects of that size."""
    rows = [sizes[size] for sizes in table.values()]
    seen = [row for row in rows if row.ap50 is not None]
    if not seen:
        return Precision(None, None, 0)
    return Precision(
        float(np.mean([row.ap50 for row in seen])),
        float(np.mean([row.ap for row in seen if row.ap is not None])),
        sum(row.truth for row in rows),
    )


def mean_or_none(precision: NDArray[np.float64]) -> float | None:
    """Return the mean of what is known (> -1), or none."""
    known = precision[precision > -1]
    return float(np.clip(known.mean(), 0.0, 1.0)) if known.size else None


def as_coco(answered: Sequence[AnsweredFrame], classes: Sequence[str]) -> tuple[dict[str, Any], list[Row]]:
    """Return labelled frames as a COCO document, and what a detector said about them as COCO results."""
    category = {name: number for number, name in enumerate(classes, 1)}
    truth: dict[str, Any] = {
        "info": {},
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": name} for name, number in category.items()],
    }
    answers: list[Row] = []
    for number, one in enumerate(answered, 1):
        size = (one.frame.width_px, one.frame.height_px)
        truth["images"].append({"id": number, "width": size[0], "height": size[1]})
        rows = [_annotation(number, category[box.label], box.box_xyxy_norm, size) for box in one.frame.boxes
                if box.label in category]  # fmt: skip
        for row in rows:
            truth["annotations"].append({"id": len(truth["annotations"]) + 1, **row})
        answers += [
            {"image_id": number, "category_id": category[found.label], "bbox": xywh_px(found.box, size),
             "score": found.score}
            for found in one.detections
            if found.label in category
        ]  # fmt: skip
    return truth, answers


def xywh_px(box: XyxyNorm, size_px: tuple[int, int]) -> list[float]:
    """Return a box as left, top, width, height in pixels."""
    x1, y1, x2, y2 = box
    return [x1 * size_px[0], y1 * size_px[1], (x2 - x1) * size_px[0], (y2 - y1) * size_px[1]]


def _annotation(image_id: int, category_id: int, box: XyxyNorm, size_px: tuple[int, int]) -> Row:
    place = xywh_px(box, size_px)
    return {
        "image_id": image_id,
        "category_id": category_id,
        "bbox": place,
        "area": place[2] * place[3],
        "iscrowd": 0,
    }


def _result(coco: Any, answers: Sequence[Row]) -> Any:  # noqa: ANN401 - the library has no types
    if answers:
        return coco.loadRes([dict(row) for row in answers])
    # The library refuses an empty result, which is a right answer to empty pictures.
    return COCO({**_copied(coco.dataset), "annotations": []})


def _copied(truth: dict[str, Any]) -> dict[str, Any]:
    """Return a copy that the library may write into."""
    return {
        "info": {},
        **{key: [dict(row) for row in truth[key]] for key in ("images", "annotations", "categories")},
    }


_LIMITS_PX2 = ((0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))


def _count(truth: dict[str, Any], category_id: int, place: int) -> int:
    low, high = _LIMITS_PX2[place]
    return sum(
        row["category_id"] == category_id and not row["iscrowd"] and low <= row["area"] <= high
        for row in truth["annotations"]
    )


def _silent(*_: object) -> None:
    """Say nothing: the library prints its progress."""
