"""Accuracy and agreement on boxes made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.accuracy import above, agreement_f1, average_precision, tuned_thresholds
from compress.protocol import TruthBox
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import LabelSpec

LEFT: XyxyNorm = (0.1, 0.1, 0.3, 0.5)
RIGHT: XyxyNorm = (0.6, 0.1, 0.8, 0.5)
CAT = LabelSpec(name="cat", slug="cat", threshold=0.5)
DOG = LabelSpec(name="dog", slug="dog", threshold=0.5)


def seen(box: XyxyNorm, score: float = 0.9, label: str = "cat") -> Detection:
    return Detection(label=label, score=score, box=box)


@pytest.mark.parametrize(
    ("full", "small", "expected"),
    [
        ([[]], [[]], 1.0),
        ([[seen(LEFT)]], [[seen(LEFT)]], 1.0),
        ([[seen(LEFT)]], [[]], 0.0),
        ([[]], [[seen(LEFT)]], 0.0),
        ([[seen(LEFT)]], [[seen(RIGHT)]], 0.0),
        ([[seen(LEFT)]], [[seen(LEFT, label="dog")]], 0.0),
        ([[seen(LEFT), seen(RIGHT)]], [[seen(LEFT)]], 2 / 3),
        ([[seen(LEFT)]], [[seen(LEFT), seen(LEFT, 0.8)]], 2 / 3),
        ([[seen(LEFT)], []], [[], [seen(LEFT)]], 0.0),
    ],
)
def test_agreement_f1_of_boxes_made_by_hand(
    full: list[list[Detection]], small: list[list[Detection]], expected: float
) -> None:
    assert agreement_f1(full, small) == pytest.approx(expected)


corners = st.tuples(*[st.floats(0, 1)] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
pictures = st.lists(
    st.lists(st.builds(seen, corners, st.floats(0, 1), st.sampled_from(["cat", "dog"])), max_size=5),
    min_size=2,
    max_size=2,
)


@given(pictures, pictures)
def test_agreement_f1_of_any_boxes_is_a_share(
    full: list[list[Detection]], small: list[list[Detection]]
) -> None:
    assert 0.0 <= agreement_f1(full, small) <= 1.0


def test_average_precision_of_perfect_boxes_is_one() -> None:
    truth = [[TruthBox(0, LEFT), TruthBox(1, RIGHT)], []]
    found = [[seen(LEFT), seen(RIGHT, label="dog")], []]
    assert average_precision(truth, found, [CAT, DOG]) == pytest.approx((1.0, 1.0))


def test_average_precision_counts_only_labels_that_occur() -> None:
    found = [[seen(LEFT), seen(RIGHT, label="dog")]]
    assert average_precision([[TruthBox(0, LEFT)]], found, [CAT, DOG]) == pytest.approx((1.0, 1.0))


def test_average_precision_of_a_shifted_box_counts_at_iou_50_only() -> None:
    shifted = (0.1, 0.1, 0.3, 0.4)  # IoU 0.75: six of the ten thresholds
    result = average_precision([[TruthBox(0, LEFT)]], [[seen(shifted)]], [CAT])
    assert result == pytest.approx((1.0, 0.6), abs=0.11)


def test_average_precision_with_nothing_found_is_zero() -> None:
    assert average_precision([[TruthBox(0, LEFT)]], [[]], [CAT]) == (0.0, 0.0)


def test_average_precision_without_truth_is_not_measured() -> None:
    assert average_precision([[], []], [[seen(LEFT)], []], [CAT]) is None


def test_above_keeps_what_reaches_its_label_threshold() -> None:
    kept = above([[seen(LEFT, 0.5), seen(LEFT, 0.49), seen(LEFT, 0.4, "dog")]], {"cat": 0.5, "dog": 0.3})
    assert [[(found.label, found.score) for found in picture] for picture in kept] == [
        [("cat", 0.5), ("dog", 0.4)]
    ]


def test_tuned_thresholds_follow_scores_that_quantization_shifted() -> None:
    full = [[seen(LEFT, 0.9), seen(RIGHT, 0.45)]] * 3
    small = [[seen(LEFT, 0.44), seen(RIGHT, 0.38)]] * 3
    threshold = tuned_thresholds(full, small, [CAT])["cat"]
    assert 0.38 < threshold <= 0.44


def test_tuned_thresholds_stay_when_nothing_is_gained() -> None:
    full = [[seen(LEFT, 0.9)]]
    assert tuned_thresholds(full, full, [CAT, DOG]) == {"cat": 0.5, "dog": 0.5}
