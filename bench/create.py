"""`create`: from labelled frames to a usable detector, cache empty, on the persons clip.

Baseline: the starter bundle (a stock detector that nobody taught) on the same frames. Several seeds; the
frames that are measured on come from a later part of the clip.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.result import Result, spread
from cloud.datasets.coco import CocoImage, CocoLabels, labelled_frames
from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_picture
from cloud.demo.teach import read_lessons
from cloud.samples.catalog import find_sample_task
from cloud.samples.footage import SystemCommandRunner, obtain_clip
from cloud.training.config import TrainConfig
from cloud.training.evaluate import evaluate
from cloud.training.fit import fit
from compress.accuracy import average_precision
from compress.protocol import TruthBox
from edge_agent.clock import SystemClock
from edge_agent.pipeline.detect import BundleDetector
from edge_agent.starter.location import starter_bundle_path

SEEDS = (0, 1, 2)
_TASK = find_sample_task("persons")


def run() -> Result:
    """Teach with each seed, measure on the test frames, beside the starter bundle."""
    clip = obtain_clip(
        _TASK, cache_dir=Path.home() / ".cache" / "elfowl", runner=SystemCommandRunner(), report=_tell
    )
    lessons = read_lessons(_TASK)
    teach = _frames(lessons.teach, clip)
    test = _frames(lessons.test, clip)
    seconds, ap50s, aps = [], [], []
    for seed in SEEDS:
        start_s = SystemClock().monotonic_s()
        taught = fit(teach, list(_TASK.classes), TrainConfig(seed=seed), lambda _: None, lambda: False)
        seconds.append(SystemClock().monotonic_s() - start_s)
        quality = evaluate(taught.detector, test)
        ap50s.append(quality.ap50)
        aps.append(quality.ap)
    return Result(
        name="create",
        baseline="the starter bundle on the same test frames",
        metrics={
            "seconds": spread(seconds),
            "ap50": spread(ap50s),
            "ap": spread(aps),
            "stock_ap50": _stock_ap50(test),
            "labelled_frames": len(teach),
            "test_frames": len(test),
        },
        notes=("one clip and one set of taught frames: nothing here shows that it carries over",),
    )


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # stdout is the result's


def _frames(images: Sequence[CocoImage], clip: Path) -> list[LabelledFrame]:
    return labelled_frames(CocoLabels(_TASK.classes, tuple(images)), lambda _: clip)


def _stock_ap50(test: Sequence[LabelledFrame]) -> float | None:
    stock = BundleDetector.open(starter_bundle_path())
    labels = [label for label in stock.bundle.manifest.heads[0].labels if label.name.lower() == "person"]
    truth = [[TruthBox(0, box.box_xyxy_norm) for box in frame.boxes] for frame in test]
    found = [
        [seen for seen in stock.detect(read_picture(frame.source), min_score=0.01) if seen.label == "person"]
        for frame in test
    ]
    measured = average_precision(truth, found, labels)
    return None if measured is None else measured[0]
