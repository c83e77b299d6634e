"""Two small tables: what becomes of a roll-out when somebody says something, and of a device when it is seen.

Every member state has a row for every sight, also where it changes nothing; an order without a row is one
that makes no sense then, and is refused. Tests are made from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal, get_args

from cloud.fleet.rollout_plan import MemberState, RolloutState

Order = Literal["pause", "continue", "abort", "roll_back", "retry"]
ORDERS: tuple[Order, ...] = get_args(Order)
MEMBER_STATES: tuple[MemberState, ...] = get_args(MemberState)

ROLLOUT: Mapping[tuple[RolloutState, Order], RolloutState] = {
    ("running", "pause"): "paused",
    ("paused", "continue"): "running",
    ("halted", "continue"): "running",
    ("running", "abort"): "aborting",
    ("paused", "abort"): "aborting",
    ("halted", "abort"): "aborting",
    ("running", "roll_back"): "returning",
    ("paused", "roll_back"): "returning",
    ("halted", "roll_back"): "returning",
    ("done", "roll_back"): "returning",
    ("aborting", "roll_back"): "returning",
    ("aborted", "roll_back"): "returning",
    ("running", "retry"): "running",
    ("paused", "retry"): "running",
    ("halted", "retry"): "running",
    ("done", "retry"): "running",
}


class Sight(Enum):
    """What is seen of a device since it was asked."""

    NO_NEWS = "is there, says nothing new"
    INSTALLED = "runs the bundle"
    REFUSED = "told a failure"
    SILENT = "has not spoken for long"
    OVERDUE = "speaks, but did not answer in time"
    PROVEN = "was watched long enough"
    WORSE = "does worse than before"
    BACK = "runs what it ran before"
    TAKEN = "somebody else wants something of it"
    GONE = "is no longer in the fleet"


_W, _T, _A, _O, _S, _F, _L, _K, _B, _R = MEMBER_STATES
_ROWS: dict[Sight, tuple[MemberState, ...]] = {
    #            waiting trying asked watching succeeded failed late skipped returning returned
    Sight.NO_NEWS: (_W, _T, _A, _O, _S, _F, _A, _K, _B, _R),
    Sight.INSTALLED: (_W, _T, _O, _O, _S, _F, _O, _K, _B, _R),
    Sight.REFUSED: (_W, _F, _F, _F, _S, _F, _F, _K, _R, _R),
    Sight.SILENT: (_W, _K, _L, _F, _S, _F, _L, _K, _R, _R),
    Sight.OVERDUE: (_W, _F, _F, _O, _S, _F, _L, _K, _B, _R),
    Sight.PROVEN: (_W, _W, _A, _S, _S, _F, _L, _K, _B, _R),
    Sight.WORSE: (_W, _F, _A, _F, _S, _F, _L, _K, _B, _R),
    Sight.BACK: (_W, _T, _A, _O, _S, _F, _L, _K, _R, _R),
    Sight.TAKEN: (_K, _K, _K, _K, _S, _F, _K, _K, _K, _R),
    Sight.GONE: (_K, _K, _K, _K, _S, _F, _K, _K, _K, _R),
}  # fmt: skip

MEMBER: Mapping[tuple[MemberState, Sight], MemberState] = {
    (state, sight): after
    for sight, row in _ROWS.items()
    for state, after in zip(MEMBER_STATES, row, strict=True)
}
FOLLOWED: frozenset[MemberState] = frozenset({"trying", "asked", "watching", "late", "returning"})
"""Members in these states are looked at; what the others say changes nothing."""
