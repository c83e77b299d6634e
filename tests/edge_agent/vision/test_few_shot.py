"""Nearest means: similarities and abstention."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.vision.few_shot import choose_value, similarities, unit


@pytest.mark.parametrize(
    ("similar", "least_similarity", "least_margin", "chosen"),
    [
        ((0.9, 0.1), 0.5, 0.2, 0),
        ((0.1, 0.9), 0.5, 0.2, 1),
        ((0.4, 0.1), 0.5, 0.2, None),
        ((0.9, 0.8), 0.5, 0.2, None),
        ((0.5, 0.3, -1.0), 0.5, 0.19, 0),
        ((0.7, 0.7), 0.5, 0.0, 0),
    ],
)
def test_choose_value_abstains_when_unsure(
    similar: tuple[float, ...], least_similarity: float, least_margin: float, chosen: int | None
) -> None:
    assert choose_value(np.array(similar, np.float32), least_similarity, least_margin) == chosen


@given(st.floats(0.1, 100.0), st.integers(0, 1000))
def test_similarities_do_not_depend_on_length(scale: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    means = unit(random.normal(size=(3, 8)).astype(np.float32))
    vectors = random.normal(size=(5, 8)).astype(np.float32)
    centre = np.zeros(8, np.float32)
    once = similarities(vectors, centre, means)
    assert np.allclose(once, similarities(vectors * np.float32(scale), centre, means), atol=1e-5)
    assert np.abs(once).max() <= 1 + 1e-5


def test_unit_of_a_zero_vector_is_finite() -> None:
    assert (unit(np.zeros((1, 4), np.float32)) == 0).all()
