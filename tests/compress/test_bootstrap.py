"""Curves and intervals, against COCO's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.accuracy import average_precision
from compress.bootstrap import agreement_interval, answers, ap50, ap50_change, curve
from compress.protocol import TruthBox
from edge_agent.wire.detection import Detection
from tests.compress.test_accuracy import CAT, DOG, LEFT, RIGHT, seen

LABELS = (CAT, DOG)
Truth = list[tuple[TruthBox, ...]]


def scene(seed: int) -> tuple[Truth, list[list[Detection]]]:
    """Return ten pictures with boxes, of which some are found, some badly, some in vain."""
    random = np.random.default_rng(seed)
    truth: Truth = []
    found: list[list[Detection]] = []
    for _ in range(10):
        boxes, detections = [], []
        for slot in range(int(random.integers(0, 4))):
            x = 0.25 * slot + 0.02
            label = int(random.integers(0, 2))
            boxes.append(TruthBox(label, (x, 0.2, x + 0.2, 0.6)))
            if random.random() < 0.7:
                off = float(random.uniform(0, 0.08))
                score = round(float(random.random()), 3)
                detections.append(seen((x + off, 0.2, x + 0.2, 0.6), score, LABELS[label].slug))
        if random.random() < 0.5:
            detections.append(seen((0.1, 0.7, 0.2, 0.9), round(float(random.random()), 3), "cat"))
        truth.append(tuple(boxes))
        found.append(detections)
    return truth, found


@given(st.integers(0, 200))
def test_ap50_is_what_coco_says(seed: int) -> None:
    truth, found = scene(seed)
    expected = average_precision(truth, found, LABELS)
    assert expected is not None
    assert ap50(answers(truth, found, LABELS)) == pytest.approx(expected[0], abs=1e-6)


def test_curve_never_rises_and_ends_where_nothing_more_is_found() -> None:
    truth, found = scene(3)
    precision = curve(answers(truth, found, LABELS)["cat"])
    assert precision is not None
    assert len(precision) == 101
    assert (np.diff(precision) <= 0).all()


def test_ap50_change_of_the_same_answers_is_nothing() -> None:
    truth, found = scene(4)
    same = answers(truth, found, LABELS)
    assert ap50_change(same, same) == (0.0, 0.0)


def test_ap50_change_when_half_is_lost_lies_below_zero() -> None:
    truth = [(TruthBox(0, LEFT),)] * 40
    before = answers(truth, [[seen(LEFT)]] * 40, LABELS)
    after = answers(truth, [[seen(LEFT)], []] * 20, LABELS)
    change = ap50_change(before, after)
    assert change is not None
    assert change[0] < -0.5 < change[1] < -0.2


def test_ap50_change_without_an_object_is_unknown() -> None:
    empty = answers([()], [[]], LABELS)
    assert ap50_change(empty, empty) is None


@pytest.mark.parametrize(("wrong", "low", "high"), [(0, 1.0, 1.0), (50, 0.3, 0.7)])
def test_agreement_interval_is_around_the_value(wrong: int, low: float, high: float) -> None:
    full = [[seen(LEFT)]] * 100
    small = [[seen(RIGHT)]] * wrong + [[seen(LEFT)]] * (100 - wrong)
    bounds = agreement_interval(full, small)
    assert bounds is not None
    assert low <= bounds[0] <= 1 - wrong / 100 <= bounds[1] <= high
