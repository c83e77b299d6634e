"""On which machines of a cluster those that watch are: one that dies must not take all of them along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping


def emptiest(places: Mapping[str, str], machines: Collection[str]) -> str | None:
    """Return the machine with the fewest workers; none: there is no machine.

    Args:
        places: On which machines the workers are, by name.
        machines: Where one could be.
    """
    counts = Counter(places.values())
    return min(machines, key=lambda one: (counts[one], one), default=None)


def is_crowded(places: Mapping[str, str], machines: Collection[str]) -> bool:
    """Return whether all of several workers are on one machine while there is another one."""
    return len(places) > 1 and len(set(places.values())) == 1 and bool(set(machines) - set(places.values()))
