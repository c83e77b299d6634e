"""Learning an attribute's values: what is told, what is left open, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.attributes.learn import choose_limits, class_means, learn_values
from cloud.errors import TrainingError
from edge_agent.vision.few_shot import choose_value, similarities


def cloud_of(count: int, at: tuple[float, ...], spread: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (np.array(at) + random.normal(scale=spread, size=(count, len(at)))).astype(np.float32)


def two_kinds(spread: float, seed: int = 0, each: int = 6) -> tuple[np.ndarray, np.ndarray]:
    embeddings = np.concatenate(
        [cloud_of(each, (1, 0, 0, 0.5), spread, seed), cloud_of(each, (0, 1, 0, 0.5), spread, seed + 1)]
    )
    return embeddings, np.repeat([0, 1], each)


def test_learn_values_far_apart_tells_all_rightly() -> None:
    embeddings, values = two_kinds(0.05)
    taught = learn_values(embeddings, values, ("diet", "regular"))
    assert taught.quality.right == 1.0
    assert taught.quality.answered == 1.0
    assert taught.quality.confusion == ((6, 0, 0), (0, 6, 0))
    assert taught.quality.examples == 12


def test_learn_values_that_look_alike_leaves_most_open_or_says_how_often_it_errs() -> None:
    random = np.random.default_rng(1)
    embeddings = random.normal(size=(20, 4)).astype(np.float32)
    taught = learn_values(embeddings, np.repeat([0, 1], 10), ("a", "b"))
    assert taught.quality.answered * taught.quality.right < 0.7


def test_learn_values_leaves_open_what_is_like_no_example() -> None:
    embeddings, values = two_kinds(0.05)
    taught = learn_values(embeddings, values, ("diet", "regular"))
    foreign = np.array([[0.5, 0.5, 3.0, 0.5]], np.float32)
    similar = similarities(foreign, taught.centre, taught.means)[0]
    assert choose_value(similar, taught.least_similarity, taught.least_margin) is None


def test_learn_values_leaves_out_neighbours_together() -> None:
    """Frames of one track are nearly copies; alone each would be recognised by its twin."""
    random = np.random.default_rng(3)
    tracks = random.normal(size=(6, 16)).astype(np.float32)
    embeddings = np.repeat(tracks, 4, axis=0)
    values = np.repeat([0, 1], 12)
    groups = [str(number // 4) for number in range(24)]
    alone = learn_values(embeddings, values, ("a", "b")).quality
    together = learn_values(embeddings, values, ("a", "b"), groups).quality
    assert alone.right * alone.answered > together.right * together.answered


@pytest.mark.parametrize(
    ("counts", "names", "complaint"),
    [
        ((3,), ("a",), "at least two values"),
        ((3, 2), ("a", "b"), r"at least 3 examples of each value; too few: b \(2\)"),
        ((3, 0), ("a", "b"), r"too few: b \(0\)"),
    ],
)
def test_learn_values_with_too_little_says_what_is_missing(
    counts: tuple[int, ...], names: tuple[str, ...], complaint: str
) -> None:
    values = np.repeat(np.arange(len(counts)), counts)
    with pytest.raises(TrainingError, match=complaint):
        learn_values(np.ones((len(values), 4), np.float32), values, names)


@given(st.integers(0, 200), st.floats(0.01, 3.0))
def test_choose_limits_are_usable_for_any_examples(seed: int, spread: float) -> None:
    embeddings, values = two_kinds(spread, seed)
    taught = learn_values(embeddings, values, ("a", "b"))
    assert -1.0 <= taught.least_similarity <= 1.0
    assert 0.0 < taught.least_margin <= 2.0
    assert sum(map(sum, taught.quality.confusion)) == 12


def test_choose_limits_take_the_smallest_margin_that_is_right() -> None:
    similar = np.array([[0.9, 0.0], [0.0, 0.9], [0.5, 0.4], [0.6, 0.1]], np.float32)
    _, margin = choose_limits(similar, np.array([0, 1, 1, 0]))
    assert margin == pytest.approx(0.5)


def test_class_means_do_not_lean_to_the_larger_class() -> None:
    embeddings = np.concatenate([cloud_of(3, (1, 0), 0.0, 0), cloud_of(30, (0, 1), 0.0, 0)])
    centre, means = class_means(embeddings, np.repeat([0, 1], [3, 30]), 2)
    assert centre == pytest.approx([0.5, 0.5])
    assert means[0] == pytest.approx(-means[1])
