"""When a thing counts as seen: not by one lucky score, but by the middle one of several."""

from __future__ import annotations

from collections.abc import Sequence

_LEAST_SIGHTS = 3


def median_score(scores: Sequence[float]) -> float:
    """Return the median of a score history, filled with zeros to three: one sight never confirms."""
    ordered = sorted([*scores, *([0.0] * (_LEAST_SIGHTS - len(scores)))])
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
