"""Two small state machines as tables: what the agent does for its owner, and how far an installation is.

Every state has a row for every event, also where it changes nothing. Tests are made from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from edge_agent.wire.sync import UpdatePhase


class Operation(Enum):
    """What the agent does for its owner.

    BOOT: looks for a detector. ENROL: waits to join its cloud, and has no detector. LOCAL: the camera looks
    by itself. OFFLOAD: only the cloud looks. BLIND: nobody looks; the loud one. SAFE: the last starts died
    while loading the installed detector, so the one of the config file runs, and nothing is installed.
    """

    BOOT = "boot"
    ENROL = "enrol"
    LOCAL = "local"
    OFFLOAD = "offload"
    BLIND = "blind"
    SAFE = "safe"


class Happening(Enum):
    """What can happen to the agent."""

    DETECTOR_READY = "detector ready"
    DETECTOR_LOST = "detector lost"
    CLOUD_UP = "cloud up"
    CLOUD_DOWN = "cloud down"
    NOT_ENROLLED = "not enrolled"
    ENROLLED = "enrolled"
    CRASH_LOOP = "crash loop"


_B, _E, _L, _O, _X, _S = (
    Operation.BOOT, Operation.ENROL, Operation.LOCAL, Operation.OFFLOAD, Operation.BLIND, Operation.SAFE,
)  # fmt: skip
_ROWS: dict[Happening, tuple[Operation, ...]] = {
    #                           BOOT ENROL LOCAL OFFLOAD BLIND SAFE
    Happening.DETECTOR_READY: (_L, _L, _L, _L, _L, _S),
    Happening.DETECTOR_LOST: (_X, _E, _X, _O, _X, _X),
    Happening.CLOUD_UP: (_B, _E, _L, _O, _O, _S),
    Happening.CLOUD_DOWN: (_B, _E, _L, _X, _X, _S),
    Happening.NOT_ENROLLED: (_E, _E, _L, _O, _E, _S),
    Happening.ENROLLED: (_B, _X, _L, _O, _X, _S),
    Happening.CRASH_LOOP: (_S, _S, _S, _S, _S, _S),
}  # fmt: skip

OPERATION: Mapping[tuple[Operation, Happening], Operation] = {
    (state, happening): after
    for happening, row in _ROWS.items()
    for state, after in zip(Operation, row, strict=True)
}


class Step(Enum):
    """What can happen to an installation."""

    ASSIGNED = "assigned"
    FETCHED = "fetched"
    VERIFIED = "verified"
    HEALTHY = "healthy"
    UNFIT = "unfit"
    DONE = "done"
    CUT_OFF = "cut off"


_STEPS: dict[Step, tuple[UpdatePhase, ...]] = {
    #               idle        download    verify      trial       commit      rollback
    Step.ASSIGNED: ("download", "download", "verify", "trial", "commit", "rollback"),
    Step.FETCHED: ("idle", "verify", "verify", "trial", "commit", "rollback"),
    Step.VERIFIED: ("idle", "trial", "trial", "trial", "commit", "rollback"),
    Step.HEALTHY: ("idle", "download", "verify", "commit", "commit", "rollback"),
    Step.UNFIT: ("idle", "idle", "idle", "rollback", "commit", "rollback"),
    Step.DONE: ("idle", "idle", "idle", "idle", "idle", "idle"),
    Step.CUT_OFF: ("idle", "idle", "idle", "trial", "commit", "rollback"),
}  # fmt: skip

PHASES: tuple[UpdatePhase, ...] = ("idle", "download", "verify", "trial", "commit", "rollback")

UPDATE: Mapping[tuple[UpdatePhase, Step], UpdatePhase] = {
    (phase, step): after for step, row in _STEPS.items() for phase, after in zip(PHASES, row, strict=True)
}


def is_lawful(before: UpdatePhase, after: UpdatePhase) -> bool:
    """Return whether one step of the table, or none, leads from one phase to the other."""
    return before == after or any(UPDATE[before, step] == after for step in Step)
