"""AP50 of persons on frames with hand-checked boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from faster_coco_eval import COCO, COCOeval_faster

from compress.starter.pictures import clip_frames
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.vision.arrays import Rgb

_LOWEST_SCORE = 0.01


def person_ap50(detector: BundleDetector, clip: Path, labels: Path) -> tuple[float, int]:
    """Return AP50 and how many frames it was measured on.

    Args:
        detector: Its label `person` is looked at.
        clip: The clip that the labels belong to.
        labels: COCO file with one category; its images carry `frame_index`.
    """
    truth = json.loads(labels.read_text("utf-8"))
    frames = clip_frames(clip, [image["frame_index"] for image in truth["images"]])
    found = [
        row
        for image in truth["images"]
        for row in _coco_rows(
            detector, frames[image["frame_index"]], image["id"], truth["categories"][0]["id"]
        )
    ]
    return _ap50(truth, found), len(truth["images"])


def _coco_rows(detector: BundleDetector, rgb: Rgb, image_id: int, category_id: int) -> list[dict[str, Any]]:
    height_px, width_px = rgb.shape[:2]
    rows = []
    for detection in detector.detect(rgb, min_score=_LOWEST_SCORE):
        if detection.label == "person":
            x1, y1, x2, y2 = detection.box
            bbox = [x1 * width_px, y1 * height_px, (x2 - x1) * width_px, (y2 - y1) * height_px]
            row = {"image_id": image_id, "category_id": category_id, "bbox": bbox, "score": detection.score}
            rows.append(row)
    return rows


def _ap50(truth: dict[str, Any], found: list[dict[str, Any]]) -> float:
    ground = COCO(truth)
    evaluation = COCOeval_faster(ground, ground.loadRes(found), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[1])
