"""Decoding and suppression of many heads at once: the same as one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.detector.full import decode_detections
from cloud.detector.shared_decode import Rules, boxes_px, detections, find_peaks, survivors
from cloud.detector.shared_heads import Column
from cloud.detector.spec import DetectorSpec
from edge_agent.vision.arrays import Float32
from edge_agent.vision.decode import MAX_CANDIDATES
from edge_agent.vision.nms import nms
from edge_agent.wire.manifest import LabelSpec
from tests.cloud.detector.examples import small_spec


@given(seed=st.integers(0, 10_000), count=st.integers(0, 40), groups=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_survivors_are_those_of_each_group_alone(seed: int, count: int, groups: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.integers(0, 30, (count, 2))
    boxes = np.concatenate([corners, corners + random.integers(0, 25, (count, 2))], 1).astype(np.float32)
    group = np.sort(random.integers(0, groups, count))
    limits = random.choice([0.3, 0.5, 0.7], groups).astype(np.float32)
    kept = survivors(boxes, group, limits[group])
    for number in range(groups):
        own = np.flatnonzero(group == number)
        falling = np.linspace(1, 0, len(own), dtype=np.float32)
        alone = nms(boxes[own], falling, np.zeros(len(own), np.int64), float(limits[number]))
        assert set(own[kept[own]]) == set(own[alone])


def test_peaks_of_a_head_are_capped_at_the_best() -> None:
    columns = (Column(0, 0), Column(1, 0))
    rules = Rules.of([small_spec("cat")] * 2, columns, 0.02)
    logits = np.full((80, 80, 2), -9.0, np.float32)
    # Every other cell of every other row is a peak: more than may go on.
    values = np.random.default_rng(0).permutation(1600).reshape(40, 40) / 1600
    logits[::2, ::2, 0] = values
    logits[3, 3, 1] = 1.0
    peaks = find_peaks(logits, rules)
    assert (peaks.heads == 0).sum() == MAX_CANDIDATES
    assert (peaks.heads == 1).sum() == 1
    strongest = np.sort(values.ravel())[::-1][:MAX_CANDIDATES]
    np.testing.assert_allclose(logits[peaks.rows[:-1], peaks.columns[:-1], 0], strongest, rtol=1e-6)


def test_equal_neighbours_are_both_peaks() -> None:
    rules = Rules.of([small_spec("cat")], (Column(0, 0),), 0.02)
    logits = np.full((4, 4, 1), -9.0, np.float32)
    logits[0, 0] = logits[0, 1] = 2.0
    assert find_peaks(logits, rules).columns.tolist() == [0, 1]


@given(
    seed=st.integers(0, 10_000),
    classes=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    score_floor=st.sampled_from([None, 0.02, 0.5]),
)
@settings(max_examples=60, deadline=None)
def test_decoded_columns_are_what_each_head_decodes_alone(
    seed: int, classes: list[int], score_floor: float | None
) -> None:
    random = np.random.default_rng(seed)
    specs = [_spec(random.choice([0.2, 0.4, 0.9], count)) for count in classes]
    columns = tuple(Column(head, slot) for head, count in enumerate(classes) for slot in range(count))
    # Few values, so many are equal; often nothing is above a threshold.
    logits = random.choice([-5.0, -1.0, 0.0, 0.5], (6, 8, len(columns)), p=[0.7, 0.1, 0.1, 0.1])
    logits = logits.astype(np.float32)
    distances = random.choice([0.0, 0.5, 1.0, 2.0], (len(classes), 6, 8, 4)).astype(np.float32)
    rules = Rules.of(specs, columns, score_floor)
    peaks = find_peaks(logits, rules)
    boxes = boxes_px(peaks, distances[peaks.heads, peaks.rows, peaks.columns])
    found = detections(peaks, boxes, rules, as_fractions)
    for head, spec in enumerate(specs):
        own = logits[None, :, :, [column.head == head for column in columns]]
        alone = decode_detections(spec, own, distances[[head]], as_fractions, score_floor)
        assert found[head] == alone


def as_fractions(boxes: Float32) -> Float32:
    """Return boxes of 64 x 48 pixels as fractions of them."""
    return np.asarray(np.clip(boxes / np.array([64, 48, 64, 48]), 0, 1), np.float32)


def _spec(thresholds: Float32) -> DetectorSpec:
    labels = [
        LabelSpec(name=f"c{slot}", slug=f"c{slot}", threshold=float(one))
        for slot, one in enumerate(thresholds)
    ]
    return small_spec().model_copy(update={"labels": tuple(labels)})
