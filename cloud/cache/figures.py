"""What happened in a tier, as the API and Prometheus tell it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict


class TierFigures(BaseModel):
    """Counted since the start, but for what is held now.

    Attributes:
        tier: `gpu`, `ram`, `disk` or `store`.
        hits: Asked for and there.
        misses: Asked for and not there, those that waited for another's load among them.
        waited: Waited for a load that was under way.
        loads: Brought from the tier below.
        failures: Loads that failed.
        evictions: Went to make room.
        verified: Digests checked.
        corrupt: Digests that were wrong; each was fetched again.
        models: Held now.
        used_bytes: Held now.
        in_use_bytes: Of these, used right now.
        pinned_bytes: Of these, pinned.
        budget_bytes: How much may be held.
    """

    model_config = ConfigDict(frozen=True)

    tier: str
    hits: int = 0
    misses: int = 0
    waited: int = 0
    loads: int = 0
    failures: int = 0
    evictions: int = 0
    verified: int = 0
    corrupt: int = 0
    models: int = 0
    used_bytes: int = 0
    in_use_bytes: int = 0
    pinned_bytes: int = 0
    budget_bytes: int = 0


def added_up(figures: Iterable[TierFigures]) -> list[TierFigures]:
    """Return the sums of several caches, tier by tier, in the order in which the tiers first come."""
    sums: dict[str, dict[str, int]] = {}
    for one in figures:
        so_far = sums.setdefault(one.tier, {})
        for name, value in one.model_dump(exclude={"tier"}).items():
            so_far[name] = so_far.get(name, 0) + value
    return [TierFigures(tier=tier, **values) for tier, values in sums.items()]
