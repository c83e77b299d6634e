"""The detector that nobody taught: the starter bundle, an SSD trained on Open Images."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from compress.accuracy import average_precision
from compress.protocol import TruthBox
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.starter.location import starter_bundle_path

SLUGS = {"persons": "person", "biscuit-box": "box", "flask": "bottle"}
"""What the stock detector calls, or comes nearest to, the object of each task."""

_FLOOR = 0.01


def stock_ap50(task: str, frames: Sequence[LabelledFrame]) -> float | None:
    """Return AP50 of the stock detector on frames of a task, whole pictures; none = no object in them."""
    stock = BundleDetector.open(starter_bundle_path())
    labels = [label for label in stock.bundle.manifest.heads[0].labels if label.slug == SLUGS[task]]
    by_source = {frame.source: frame for frame in frames}
    truth, found = [], []
    for source, rgb in read_pictures(by_source):
        truth.append([TruthBox(0, box.box_xyxy_norm) for box in by_source[source].boxes])
        seen = stock.detect(rgb, min_score=_FLOOR)
        found.append([one for one in seen if one.label == labels[0].slug])
    measured = average_precision(truth, found, labels)
    return None if measured is None else measured[0]
