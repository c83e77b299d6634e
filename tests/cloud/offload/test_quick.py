"""Pictures are looked at with int8 numbers where that is known to be good, and else as elsewhere."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from cloud.detector.full import FullDetector
from cloud.detector.light_int8 import multiplies_bytes
from cloud.detector.presence import PresenceHead
from cloud.offload.gathered import OnnxTrunks, Question, detect_each
from cloud.offload.quick import Found, QuickDetect
from edge_agent.vision.arrays import Rgb
from edge_agent.vision.resize import resize
from edge_agent.wire.detection import Detection
from tests.cloud.detector.test_shared import light_detector, some_pictures
from tests.cloud.offload.test_gathered import full_detector

QUICK = multiplies_bytes(torch.cpu.get_capabilities())


def soft_pictures(count: int) -> list[Rgb]:
    """Return blobs of colour: noise is like no picture."""
    numbers = np.random.default_rng(5)
    return [resize(numbers.integers(0, 255, (6, 8, 3)).astype(np.uint8), 128, 96) for _ in range(count)]


class Elsewhere:
    """Notes what it is asked, and answers."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def __call__(self, questions: Sequence[Question]) -> list[Found]:
        self.asked += questions
        return [[Detection(label="elsewhere", score=0.5, box=(0.0, 0.0, 1.0, 1.0))] for _ in questions]


@pytest.mark.skipif(not QUICK, reason="this processor's sums of int8 products overflow")
@pytest.mark.parametrize(
    "detector", [full_detector("full"), light_detector(0, "cat", "dog")], ids=["full", "light"]
)
def test_quick_answers_are_nearly_those_of_the_detector(detector: FullDetector) -> None:
    elsewhere = Elsewhere()
    questions = [Question(detector, rgb, 0.05) for rgb in soft_pictures(3)]
    quick = QuickDetect(elsewhere)(questions)
    assert not elsewhere.asked
    for ours, theirs in zip(quick, detect_each(questions, OnnxTrunks()), strict=True):
        assert isinstance(ours, list)
        assert isinstance(theirs, list)
        best = max(theirs, key=lambda one: one.score)
        assert any(
            one.label == best.label
            and abs(one.score - best.score) < 0.1
            and max(abs(a - b) for a, b in zip(one.box, best.box, strict=True)) < 0.1
            for one in ours
        )


def test_what_has_no_int8_numbers_is_looked_at_elsewhere() -> None:
    detector = replace(full_detector("full"), taught_head=PresenceHead([1, 1, 1], 2))
    elsewhere = Elsewhere()
    question = Question(detector, some_pictures(1)[0])
    (found,) = QuickDetect(elsewhere)([question])
    assert elsewhere.asked == [question]
    assert isinstance(found, list)
    assert found[0].label == "elsewhere"


@pytest.mark.skipif(not QUICK, reason="this processor's sums of int8 products overflow")
def test_detector_that_is_dropped_is_not_kept_for_its_int8_head() -> None:
    quick, question = QuickDetect(Elsewhere()), Question(full_detector("gone"), soft_pictures(1)[0])
    quick([question])
    head = weakref.ref(question.detector.taught_head)
    assert head() is not None
    del question
    gc.collect()
    assert head() is None
