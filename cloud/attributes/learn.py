"""A rule that tells an attribute's values apart, from a handful of embeddings, and how well it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from cloud.errors import TrainingError
from edge_agent.vision.arrays import Float32, Int64
from edge_agent.vision.few_shot import choose_value, similarities, unit
from edge_agent.wire.base import Document

LEAST_EXAMPLES = 3
GOOD_EXAMPLES = 10
"""Of each value: with fewer than the first nothing is learned, from the second on it can be relied on."""

_WANTED_RIGHT = 0.95
_LIKENESS_SLACK = 0.1


class AttributeQuality(Document):
    """How well the examples are told apart, each by a rule that had not seen it or its neighbours.

    `right` is the share of the answered ones, `answered` the share that was not left open; `confusion` counts
    examples by true value (rows) and told value (columns, the last one for none told).
    """

    examples: int = Field(ge=0)
    right: float = Field(ge=0.0, le=1.0)
    answered: float = Field(ge=0.0, le=1.0)
    confusion: tuple[tuple[int, ...], ...]
    how: str = "leave_one_group_out"


@dataclass(frozen=True)
class Taught:
    """What was learned: the numbers of a `wire.attributes.AttributeRule`, and how good it is."""

    centre: Float32
    means: Float32
    least_similarity: float
    least_margin: float
    quality: AttributeQuality


def learn_values(
    embeddings: Float32, values: Int64, names: Sequence[str], groups: Sequence[str] | None = None
) -> Taught:
    """Learn to tell values apart.

    Args:
        embeddings: `(n, channels)`.
        values: `(n,)`: index into `names`.
        names: Of the values, at least two.
        groups: What each example came from; those of one group (a track, a second of video) are left out
            together when quality is measured. None: each on its own.

    Raises:
        TrainingError: Fewer than two values, or too few examples of one; the text says which.
    """
    counts = np.bincount(values, minlength=len(names)).tolist()
    check_counts(dict(zip(names, counts, strict=True)))
    centre, means = class_means(embeddings, values, len(names))
    held_out = _held_out_similarities(
        embeddings, values, len(names), groups or [str(number) for number in range(len(values))]
    )
    least_similarity, least_margin = choose_limits(held_out, values)
    told = [choose_value(row, least_similarity, least_margin) for row in held_out]
    return Taught(centre, means, least_similarity, least_margin, _quality(told, values, len(names)))


def check_counts(counts: Mapping[str, int]) -> None:
    """Check that there are enough examples of each value.

    Raises:
        TrainingError: There are not; the text says of which.
    """
    if len(counts) < 2:
        message = "an attribute needs at least two values"
        raise TrainingError(message)
    if few := [f"{value} ({count})" for value, count in counts.items() if count < LEAST_EXAMPLES]:
        message = f"show at least {LEAST_EXAMPLES} examples of each value; too few: {', '.join(few)}"
        raise TrainingError(message)


def class_means(embeddings: Float32, values: Int64, count: int) -> tuple[Float32, Float32]:
    """Return the centre `(channels,)` and each value's mean direction `(count, channels)`.

    The centre is the mean of the values' means, so that a value with many examples does not pull it.
    """
    raw = np.stack([embeddings[values == value].mean(axis=0) for value in range(count)])
    centre = raw.mean(axis=0)
    directions = unit(embeddings - centre)
    means = np.stack([directions[values == value].mean(axis=0) for value in range(count)])
    return np.asarray(centre, np.float32), unit(means)


def choose_limits(similar: Float32, values: Int64) -> tuple[float, float]:
    """Return (least similarity, least margin) from similarities of examples that were held out.

    The margin is the smallest at which 19 of 20 told values are right; the similarity is a little below the
    least of those told rightly, so that what is like no example is left open.

    Args:
        similar: `(n, values)`.
        values: `(n,)`, the truth.
    """
    ordered = np.sort(similar, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    right = similar.argmax(axis=1) == values
    margin = next(
        (float(limit) for limit in np.unique(margins) if right[margins >= limit].mean() >= _WANTED_RIGHT),
        float(margins.max()),
    )
    # A rule of few examples is surer of them than of others: never less than a little.
    margin = max(margin, 0.02)
    sure = right & (margins >= margin)
    best = ordered[:, -1]
    least = float(best[sure].min() if sure.any() else best.max()) - _LIKENESS_SLACK
    return float(np.clip(least, -1.0, 1.0)), float(np.clip(margin, 0.0, 2.0))


def _held_out_similarities(embeddings: Float32, values: Int64, count: int, groups: Sequence[str]) -> Float32:
    """Return what rules say that had not seen an example's group, `(n, count)`.

    Where a group holds all examples of a value, only the example itself is left out.
    """
    group_of = np.array(groups)
    similar = np.zeros((len(values), count), np.float32)
    for index in range(len(values)):
        kept = group_of != group_of[index]
        if len(np.unique(values[kept])) < count:
            kept = np.arange(len(values)) != index
        centre, means = class_means(embeddings[kept], values[kept], count)
        similar[index] = similarities(embeddings[index : index + 1], centre, means)[0]
    return similar


def _quality(told: Sequence[int | None], values: Int64, count: int) -> AttributeQuality:
    confusion = np.zeros((count, count + 1), int)
    for value, answer in zip(values.tolist(), told, strict=True):
        confusion[value, count if answer is None else answer] += 1
    answered = int(confusion[:, :count].sum())
    return AttributeQuality(
        examples=len(told),
        right=float(np.trace(confusion[:, :count]) / answered) if answered else 0.0,
        answered=answered / max(1, len(told)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )
