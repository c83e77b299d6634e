"""How long a compression may look for a smaller network, and how much it measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EffortName = Literal["quick", "normal", "best"]


@dataclass(frozen=True)
class Effort:
    """What one effort spends.

    Attributes:
        name: What a person calls it.
        budget_s: Seconds that all together may take on two cores.
        searches: Whether smaller networks are looked for.
        unlabelled: Pictures, beside the test set, on which agreement is measured, where there are so many.
        turns: Turns of four pictures in which every form is timed.
    """

    name: EffortName
    budget_s: float
    searches: bool
    unlabelled: int
    turns: int


EFFORTS: dict[str, Effort] = {
    "quick": Effort("quick", 120.0, searches=False, unlabelled=0, turns=7),
    "normal": Effort("normal", 600.0, searches=True, unlabelled=500, turns=15),
    "best": Effort("best", 3600.0, searches=True, unlabelled=500, turns=25),
}
QUICK = EFFORTS["quick"]
