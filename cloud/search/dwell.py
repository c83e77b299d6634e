"""How long things stayed in sight."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, chain

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from cloud.search.aged import Aged
from cloud.search.chosen import Chosen, conditions
from cloud.store.tables import EventState

LENGTHS_S = (2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Where one class of lengths ends and the next begins; the last class has no end."""

_PLACE = " ".join(f"WHEN seconds <= {end_s} THEN {place}" for place, end_s in enumerate(LENGTHS_S))
_AGED = (
    f"label, device, camera, CASE {_PLACE} ELSE {len(LENGTHS_S)} END, count(*), sum(seconds), max(seconds)"
)


@dataclass(frozen=True)
class Dwell:
    """How long the things of one label stayed in sight of one camera.

    `spread` counts the events of each class of lengths: up to each of `LENGTHS_S`, and longer.
    """

    label: str
    device: str
    camera: str
    mean_s: float
    longest_s: float
    spread: tuple[int, ...]

    @property
    def events(self) -> int:
        """Return how many events there were."""
        return sum(self.spread)

    @property
    def half_s(self) -> tuple[float, float | None]:
        """Return the class (more than, up to) in which the median lies; none: no end."""
        place = bisect_left(list(accumulate(self.spread)), self.events / 2)
        ends = (0.0, *LENGTHS_S, None)
        return float(ends[place] or 0.0), ends[place + 1]


def dwell(session: Session, chosen: Chosen, aged: Aged | None = None) -> list[Dwell]:
    """Return how long things stayed, the most frequent first."""
    length = EventState.frame_time - EventState.start_time
    place = case(*((length <= end_s, i) for i, end_s in enumerate(LENGTHS_S)), else_=len(LENGTHS_S))
    names = (EventState.label, EventState.device, EventState.camera)
    rows = select(*names, place, func.count(), func.sum(length), func.max(length))
    spreads: dict[tuple[str, str, str], list[int]] = {}
    sums: dict[tuple[str, str, str], float] = {}
    longest: dict[tuple[str, str, str], float] = {}
    old = () if aged is None else aged.rows(_AGED, end="GROUP BY ALL")
    new = session.execute(rows.where(*conditions(chosen)).group_by(*names, place))
    for *name, at, events, total_s, most_s in chain(new, old):
        key = (name[0], name[1], name[2])
        spreads.setdefault(key, [0] * (len(LENGTHS_S) + 1))[at] += events
        sums[key] = sums.get(key, 0.0) + total_s
        longest[key] = max(longest.get(key, 0.0), most_s)
    found = [
        Dwell(*key, sums[key] / sum(spread), longest[key], tuple(spread)) for key, spread in spreads.items()
    ]
    return sorted(found, key=lambda one: (-one.events, one.label, one.device, one.camera))
