"""How long to wait before a source is opened again."""

from __future__ import annotations

import random

_MAX_DOUBLINGS = 30


def reopen_delay_s(failures: int, rng: random.Random, *, base_s: float = 1.0, max_s: float = 30.0) -> float:
    """Return a wait that doubles with each failure in a row, spread so that cameras do not return together.

    "Equal jitter": half of the wait is fixed, half is random, so that no source is hammered.

    Args:
        failures: Failures in a row, from 1.
        rng: Where the spread comes from.
        base_s: Wait after the first failure, before the spread.
        max_s: No wait is longer.
    """
    ceiling_s = min(max_s, base_s * 2.0 ** min(max(failures - 1, 0), _MAX_DOUBLINGS))
    return ceiling_s * (0.5 + 0.5 * rng.random())
