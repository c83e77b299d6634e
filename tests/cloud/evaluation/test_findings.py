"""What was right and wrong, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cloud.evaluation.compare import changes_between
from cloud.evaluation.curves import (
    expected_calibration_error,
    matches_of,
    precision_recall,
    reliability,
    working_at,
)
from cloud.evaluation.findings import confusion, look
from cloud.training.threshold import ScoredMatches
from tests.cloud.evaluation.answered import HERE, THERE, answered

IN_USE = {"cat": 0.5, "dog": 0.3}


def test_look_counts_only_what_is_reported() -> None:
    one = answered(
        [("cat", HERE), ("cat", THERE)], [("cat", 0.6, HERE), ("cat", 0.4, THERE), ("dog", 0.9, HERE)]
    )
    looked = look(one, IN_USE)
    assert [hit is not None for hit in looked.found] == [True, False]
    assert [box.box_xyxy_norm for box in looked.missed] == [THERE]
    assert [alarm.label for alarm in looked.false_alarms] == ["dog"]


def test_look_two_detections_of_one_object_are_one_right_one_wrong() -> None:
    looked = look(answered([("cat", HERE)], [("cat", 0.6, HERE), ("cat", 0.9, HERE)]), IN_USE)
    assert [hit.score for hit in looked.found if hit] == [0.9]
    assert [alarm.score for alarm in looked.false_alarms] == [0.6]


def test_look_class_that_nobody_reports_is_left_out() -> None:
    assert look(answered([("cow", HERE)], []), IN_USE).missed == []


def test_confusion_rows_are_truth_columns_are_answers_last_is_nothing() -> None:
    frames = [
        answered([("cat", HERE)], [("dog", 0.9, HERE)]),
        answered([("cat", HERE), ("dog", THERE)], [("cat", 0.9, HERE), ("dog", 0.2, THERE)], 1),
        answered([], [("dog", 0.7, THERE)], 2),
    ]
    np.testing.assert_array_equal(confusion(frames, IN_USE), [[1, 1, 0], [0, 0, 1], [0, 1, 0]])


def test_confusion_right_class_goes_before_better_score_of_another() -> None:
    frame = answered([("cat", HERE)], [("dog", 0.9, HERE), ("cat", 0.6, HERE)])
    np.testing.assert_array_equal(confusion([frame], IN_USE), [[1, 0, 0], [0, 0, 0], [0, 1, 0]])


def test_changes_between_fixed_and_broken_name_objects_and_alarms() -> None:
    truth = [("cat", HERE), ("cat", THERE)]
    corner = (0.4, 0.0, 0.5, 0.1)
    old = look(answered(truth, [("cat", 0.9, HERE), ("dog", 0.8, corner)], 7), IN_USE)
    new = look(answered(truth, [("cat", 0.7, THERE), ("dog", 0.5, HERE)], 7), IN_USE)
    changes = changes_between([old], [new])
    assert [(one.kind, one.box) for one in changes.fixed] == [("missed", THERE), ("false alarm", corner)]
    assert [(one.kind, one.box) for one in changes.broken] == [("missed", HERE), ("false alarm", HERE)]
    assert {one.frame for one in changes.fixed} == {"clip.avi#000007"}


def test_changes_between_alarm_that_stays_is_no_change() -> None:
    both = look(answered([], [("cat", 0.9, HERE)]), IN_USE)
    changes = changes_between([both], [both])
    assert (changes.fixed, changes.broken) == ((), ())


def test_working_at_counts_precision_recall_and_f1() -> None:
    frame = answered(
        [("cat", HERE), ("cat", THERE)], [("cat", 0.9, HERE), ("cat", 0.4, (0.4, 0.0, 0.5, 0.1))]
    )
    matches = matches_of([frame], "cat")
    strict, loose = working_at(matches, 0.5), working_at(matches, 0.1)
    assert (strict.precision, strict.recall, strict.f1) == pytest.approx((1.0, 0.5, 2 / 3))
    assert (loose.precision, loose.recall) == pytest.approx((0.5, 0.5))
    assert working_at(matches, 0.95).precision == 0.0
    assert [point.recall for point in precision_recall(matches)] == pytest.approx([0.5, 0.5])


def test_precision_recall_of_nothing_is_empty() -> None:
    assert precision_recall(matches_of([answered([("cat", HERE)], [])], "cat")) == []


def test_reliability_says_how_often_a_score_is_right() -> None:
    scores = np.array([0.95, 0.92, 0.15, 0.11, 0.01], np.float32)
    bins = reliability(ScoredMatches(scores, np.array([True, False, False, False, True]), 2))
    assert [(one.low, one.count, one.right_share) for one in bins] == [(0.1, 2, 0.0), (0.9, 2, 0.5)]
    assert expected_calibration_error(bins) == pytest.approx((0.13 * 2 + 0.435 * 2) / 4, abs=1e-6)
    assert expected_calibration_error([]) is None
