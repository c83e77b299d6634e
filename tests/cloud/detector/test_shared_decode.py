"""Suppression in many groups at once: the same as group by group."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.detector.shared_decode import Rules, find_peaks, survivors
from cloud.detector.shared_heads import Column
from edge_agent.vision.decode import MAX_CANDIDATES
from edge_agent.vision.nms import nms
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
