"""Quality and thresholds, against cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.errors import InputError
from cloud.training.evaluate import AnsweredFrame, evaluate, measure
from cloud.training.threshold import DEFAULT_THRESHOLD, ScoredMatches, match, recommend_threshold
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from tests.cloud.detector.examples import small_detector

HERE: XyxyNorm = (0.1, 0.1, 0.3, 0.3)
THERE: XyxyNorm = (0.6, 0.6, 0.9, 0.9)


def answered(
    truth: list[tuple[str, XyxyNorm]], found: list[tuple[str, float, XyxyNorm]], number: int = 0
) -> AnsweredFrame:
    boxes = tuple(LabelledBox(label, box) for label, box in truth)
    frame = LabelledFrame(PictureSource(Path(f"{number}.png")), 200, 100, boxes)
    return AnsweredFrame(
        frame, tuple(Detection(label=label, score=score, box=box) for label, score, box in found)
    )


def test_measure_everything_right_is_one() -> None:
    quality = measure([answered([("cat", HERE)], [("cat", 0.9, HERE)])], ["cat"])
    assert (quality.ap50, quality.ap) == pytest.approx((1.0, 1.0))
    assert quality.images == 1
    assert quality.per_class["cat"].truth == 1


def test_measure_half_found_is_half() -> None:
    quality = measure([answered([("cat", HERE), ("cat", THERE)], [("cat", 0.9, HERE)])], ["cat"])
    assert quality.ap50 == pytest.approx(0.5, abs=0.01)


def test_measure_false_alarm_above_the_hit_halves_precision() -> None:
    quality = measure([answered([("cat", HERE)], [("cat", 0.9, THERE), ("cat", 0.5, HERE)])], ["cat"])
    assert quality.ap50 == pytest.approx(0.5)


def test_measure_right_place_wrong_class_is_not_found() -> None:
    quality = measure([answered([("cat", HERE), ("dog", THERE)], [("dog", 0.9, HERE)])], ["cat", "dog"])
    assert quality.ap50 == 0.0


def test_measure_class_without_objects_does_not_count() -> None:
    quality = measure([answered([("cat", HERE)], [("cat", 0.9, HERE)])], ["cat", "dog"])
    assert quality.ap50 == pytest.approx(1.0)
    assert quality.per_class["dog"].truth == 0
    assert quality.per_class["dog"].threshold == DEFAULT_THRESHOLD


@pytest.mark.parametrize("found", [[], [("cat", 0.9, HERE)]])
def test_measure_pictures_with_nothing_in_them(found: list[tuple[str, float, XyxyNorm]]) -> None:
    quality = measure([answered([], found)], ["cat"])
    assert (quality.ap50, quality.images) == (0.0, 1)


def test_evaluate_only_partial_frames_is_refused() -> None:
    frame = LabelledFrame(PictureSource(Path("a.png")), 8, 8, (), ((0.0, 0.0, 0.5, 0.5),))
    with pytest.raises(InputError, match="at least one whole frame"):
        evaluate(small_detector(), [frame])


def test_match_each_object_is_hit_once_by_the_best() -> None:
    near: XyxyNorm = (0.1, 0.1, 0.3, 0.29)
    matches = match([([(0.4, HERE), (0.8, near)], [HERE]), ([(0.6, THERE)], [])])
    assert matches.scores.tolist() == pytest.approx([0.8, 0.4, 0.6])
    assert matches.right.tolist() == [True, False, False]
    assert matches.truth == 1


@pytest.mark.parametrize(
    ("scores", "right", "truth", "low", "high"),
    [
        ([0.9, 0.8, 0.7, 0.2, 0.1], [1, 1, 1, 0, 0], 3, 0.2, 0.7),
        ([0.9, 0.3, 0.25], [1, 1, 0], 2, 0.25, 0.3),
        ([0.9, 0.8], [1, 1], 2, 0.05, 0.8),
        ([0.5], [0], 2, DEFAULT_THRESHOLD, DEFAULT_THRESHOLD),
        ([], [], 2, DEFAULT_THRESHOLD, DEFAULT_THRESHOLD),
    ],
)
def test_recommend_threshold_lies_between_right_and_wrong(
    scores: list[float], right: list[int], truth: int, low: float, high: float
) -> None:
    matches = ScoredMatches(np.array(scores, np.float32), np.array(right, np.bool_), truth)
    assert low <= recommend_threshold(matches) <= high
