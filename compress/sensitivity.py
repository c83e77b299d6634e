"""Which layers int8 hurts most, so that only those stay in float; pure functions.

Layers are taken in runs of neighbours: one layer alone in float costs two conversions and brings little.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from edge_agent.vision.arrays import Float32

GROUPS = 10
MOST_GROUPS = 3
WORTH_SHARE = 0.1
"""A run of layers stays in float only if that takes away so much of all the error."""

Group = tuple[str, ...]


def groups_of(layers: Sequence[str], count: int = GROUPS) -> tuple[Group, ...]:
    """Return layers, in the network's order, as up to `count` runs of about the same length."""
    bounds = np.linspace(0, len(layers), min(count, len(layers)) + 1).round().astype(int)
    return tuple(tuple(layers[a:b]) for a, b in itertools.pairwise(bounds))


def sensitive_layers(groups: Iterable[Group], error_without: Callable[[Group], float]) -> Group:
    """Return the layers to leave in float.

    Args:
        groups: Runs of layers.
        error_without: Returns the network's error when these layers stay in float; of none: all in int8.
    """
    base = error_without(())
    gains = sorted(((base - error_without(group), group) for group in groups), reverse=True)
    worth = [group for gain, group in gains[:MOST_GROUPS] if gain > WORTH_SHARE * base]
    return tuple(layer for group in worth for layer in group)


def relative_error(expected: Sequence[Float32], found: Sequence[Float32]) -> float:
    """Return the power of the difference as a share of the power of what was expected, mean over outputs."""
    shares = [
        float(np.square(one - other).sum() / max(float(np.square(one).sum()), 1e-12))
        for one, other in zip(expected, found, strict=True)
    ]
    return float(np.mean(shares)) if shares else 0.0
