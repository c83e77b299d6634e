"""When a thing counts as seen: not by one lucky score, but by the middle one of several."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

_LEAST_SIGHTS = 3


def median_score(scores: Sequence[float]) -> float:
    """Return the median of a score history, filled with zeros to three: one sight never confirms."""
    padded = [*scores, *([0.0] * (_LEAST_SIGHTS - len(scores)))]
    return float(median(padded))


def is_confirmed(scores: Sequence[float], threshold: float) -> bool:
    """Return whether a history of scores is enough to say that the thing is there."""
    return median_score(scores) >= threshold
