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
from edge_agent.wire.detection import Detection
from tests.cloud.detector.examples import small_detector

RGB = np.random.default_rng(3).integers(0, 255, (96, 128, 3)).astype(np.uint8)


def saved(folder: Path, name: str, seed: int) -> FullDetector:
    made = small_detector(seed=seed)
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
