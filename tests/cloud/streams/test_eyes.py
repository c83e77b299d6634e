"""Detectors of streams: loaded once, looking together, each answering as it does alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from cloud.cache.plan import CachePlan
from cloud.detector.files import save_detector
from cloud.detector.full import FullDetector
from cloud.offload.gathered import OnnxTrunks
from cloud.settings import Settings
from cloud.streams.eyes import Look, Seen, SharedDetector, StreamEyes
from edge_agent.errors import ElfowlError
from edge_agent.pipeline.boxes import iou
from edge_agent.pipeline.region import holds
from edge_agent.wire.base import WHOLE
from edge_agent.wire.detection import Detection
from tests.cloud.detector.examples import small_detector

RGB = np.random.default_rng(3).integers(0, 255, (96, 128, 3)).astype(np.uint8)


def saved(folder: Path, name: str, seed: int, size_px: tuple[int, int] = (128, 96)) -> FullDetector:
    made = small_detector(seed=seed)
    spec = made.spec.model_copy(update={"input_width_px": size_px[0], "input_height_px": size_px[1]})
    made = FullDetector(spec, made.taught_head)
    with torch.no_grad():
        made.taught_head.get_parameter("scores.bias").add_(4.0)
    ref = made.ref.model_copy(update={"id": name, "name": name, "version": 1})
    detector = FullDetector(made.spec.model_copy(update={"detector": ref}), made.taught_head)
    save_detector(detector, folder / name / "v1")
    return detector


def answer(eyes: StreamEyes, look: Look) -> Seen:
    (seen,) = eyes.see([look])
    assert not isinstance(seen, ElfowlError)
    return seen


def found(detections: list[Detection]) -> list[tuple[str, float]]:
    return sorted((one.label, round(one.score, 3)) for one in detections)


@pytest.mark.parametrize("gathers", [False, True])
def test_detectors_of_a_stream_answer_together_as_each_does_alone(tmp_path: Path, gathers: bool) -> None:
    plan = CachePlan.of(Settings(home=tmp_path))
    alone = [saved(plan.detectors_path, "first", 1), saved(plan.detectors_path, "second", 2)]
    eyes = StreamEyes(plan, OnnxTrunks(), gathers=gathers)
    party = eyes.open([("first", 1), ("second", 1)])
    together = SharedDetector(party, partial(answer, eyes))
    assert list(together.labels) == ["cat", "dog", "cat_second", "dog_second"]
    assert together.labels["cat_second"].name == "cat (second)"
    expected = [
        (one.label if number == 0 else f"{one.label}_second", round(one.score, 3))
        for number, detector in enumerate(alone)
        for one in detector.detect_many([RGB], score_floor=0.4)[0]
    ]
    assert found(together.detect(RGB, min_score=0.4)) == sorted(expected)
    assert expected, "a picture in which nothing is seen would show nothing"
    assert eyes.open([("first", 1), ("second", 1)]) is party


BOX = (0.05, 0.05, 0.25, 0.3)


def watching(folder: Path, *sizes_px: tuple[int, int], gathers: bool = False) -> SharedDetector:
    """Return detectors of a stream with inputs of these sizes."""
    plan = CachePlan.of(Settings(home=folder))
    for number, size_px in enumerate(sizes_px):
        saved(plan.detectors_path, f"d{number}", number, size_px)
    eyes = StreamEyes(plan, OnnxTrunks(), gathers=gathers)
    keys = [(f"d{number}", 1) for number in range(len(sizes_px))]
    return SharedDetector(eyes.open(keys), partial(answer, eyes))


def test_part_is_seen_as_it_is_in_the_whole_picture(tmp_path: Path) -> None:
    rgb = np.random.default_rng(5).integers(0, 255, (192, 256, 3)).astype(np.uint8)
    detector = watching(tmp_path, (256, 192), (256, 192))
    seen = detector.detect_around(rgb, [BOX], min_score=0.4)
    (part,) = seen.parts
    assert holds(part, BOX)
    assert part[2] < 0.6
    whole = detector.detect(rgb, min_score=0.3)
    alike = [any(_are_alike(one, other) for other in whole) for one in seen.detections]
    # Untaught heads have peaks everywhere, of which suppression leaves these or those.
    assert len(alike) >= 5
    assert sum(alike) >= 0.5 * len(alike)


def _are_alike(one: Detection, other: Detection) -> bool:
    return one.label == other.label and abs(one.score - other.score) < 0.04 and iou(one.box, other.box) > 0.7


@pytest.mark.parametrize(
    ("sizes_px", "gathers"),
    [([(256, 192)], True), ([(256, 192), (128, 96)], False)],
    ids=["many pictures in one pass", "detectors with unequal inputs"],
)
def test_whole_picture_is_seen_where_parts_are_no_choice(
    tmp_path: Path, sizes_px: list[tuple[int, int]], gathers: bool
) -> None:
    detector = watching(tmp_path, *sizes_px, gathers=gathers)
    seen = detector.detect_around(RGB, [BOX], min_score=0.4)
    assert seen.parts == (WHOLE,)
    assert found(seen.detections) == found(detector.detect(RGB, min_score=0.4))
    assert seen.detections
