"""The detector that nobody taught: the starter bundle, an SSD trained on Open Images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from compress.accuracy import average_precision
from compress.protocol import TruthBox
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.starter.location import starter_bundle_path
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.nms import nms
from edge_agent.wire.detection import Detection

SLUGS = {"persons": "person", "biscuit-box": "box", "flask": "bottle"}
"""What the stock detector calls, or comes nearest to, the object of each task."""

_FLOOR = 0.01
_TILE_SHARE = 0.6
_TILE_STARTS = (0.0, 1 - _TILE_SHARE)
_NMS_IOU = 0.5

Look = Callable[[Rgb], Sequence[Detection]]


def stock_ap50(task: str, frames: Sequence[LabelledFrame], *, tiled: bool = False) -> float | None:
    """Return AP50 of the stock detector on frames of a task; none = no object in them.

    Args:
        task: Name of the sample task.
        frames: What to measure on.
        tiled: Look at four overlapping quarters too, at five times the cost: better where objects are small.
    """
    stock = BundleDetector.open(starter_bundle_path())
    labels = [label for label in stock.bundle.manifest.heads[0].labels if label.slug == SLUGS[task]]
    by_source = {frame.source: frame for frame in frames}
    truth, found = [], []

    def look(rgb: Rgb) -> list[Detection]:
        return [one for one in stock.detect(rgb, min_score=_FLOOR) if one.label == labels[0].slug]

    for source, rgb in read_pictures(by_source):
        truth.append([TruthBox(0, box.box_xyxy_norm) for box in by_source[source].boxes])
        found.append(in_tiles(rgb, look) if tiled else look(rgb))
    measured = average_precision(truth, found, labels)
    return None if measured is None else measured[0]


def in_tiles(rgb: Rgb, look: Look) -> list[Detection]:
    """Return what is seen in the whole picture and in four overlapping tiles, without doubles, best first."""
    height, width = rgb.shape[:2]
    found = list(look(rgb))
    for top in _TILE_STARTS:
        for left in _TILE_STARTS:
            y, x = round(top * height), round(left * width)
            tile = rgb[y : round((top + _TILE_SHARE) * height), x : round((left + _TILE_SHARE) * width)]
            found += [
                _moved(one, (x / width, y / height), tile, rgb) for one in look(np.ascontiguousarray(tile))
            ]
    if not found:
        return []
    boxes = np.array([one.box for one in found], np.float32)
    scores = np.array([one.score for one in found], np.float32)
    return [found[i] for i in nms(boxes, scores, np.zeros(len(found), np.int64), _NMS_IOU)]


def _moved(one: Detection, corner: tuple[float, float], tile: Rgb, rgb: Rgb) -> Detection:
    across, down = tile.shape[1] / rgb.shape[1], tile.shape[0] / rgb.shape[0]
    x1, y1, x2, y2 = one.box
    box = (corner[0] + x1 * across, corner[1] + y1 * down, corner[0] + x2 * across, corner[1] + y2 * down)
    return one.model_copy(update={"box": tuple(min(1.0, side) for side in box)})
