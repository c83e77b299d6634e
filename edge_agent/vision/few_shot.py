"""Values of an attribute from embeddings: cosine to the mean of each value's examples, after centring.

SimpleShot (Wang et al. 2019): with a handful of examples a nearest mean is as good as anything learned.
"""

from __future__ import annotations

import numpy as np

from edge_agent.vision.arrays import Float32

_EPS = 1e-8


def unit(vectors: Float32) -> Float32:
    """Return vectors `(…, n)` at length 1; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, _EPS), np.float32)


def similarities(embeddings: Float32, centre: Float32, means: Float32) -> Float32:
    """Return the cosine of each embedding with each value's mean.

    Args:
        embeddings: `(k, n) float32`.
        centre: `(n,)`: subtracted first.
        means: `(values, n)`, each of length 1.

    Returns:
        `(k, values) float32` in -1..1.
    """
    return np.asarray(unit(embeddings - centre) @ means.T, np.float32)


def choose_value(similar: Float32, least_similarity: float, least_margin: float) -> int | None:
    """Return the best value's number; none where nothing is like enough, or two are about as like.

    Args:
        similar: `(values,)`, at least two.
        least_similarity: The best must be as like as this.
        least_margin: And better than the second by this.
    """
    order = np.argsort(-similar, kind="stable")
    best, second = similar[order[0]], similar[order[1]]
    if best < least_similarity or best - second < least_margin:
        return None
    return int(order[0])
