"""The two state machines: made from the tables, so that a state without a row fails."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.states import (
    OPERATION,
    PHASES,
    UPDATE,
    Happening,
    Operation,
    Step,
    is_lawful,
)
from edge_agent.wire.sync import UpdatePhase


@pytest.mark.parametrize(("state", "happening"), list(product(Operation, Happening)))
def test_operation_every_state_has_a_row_for_every_event(state: Operation, happening: Happening) -> None:
    assert isinstance(OPERATION[state, happening], Operation)


@pytest.mark.parametrize(("phase", "step"), list(product(get_args(UpdatePhase), Step)))
def test_update_every_phase_has_a_row_for_every_step(phase: UpdatePhase, step: Step) -> None:
    assert UPDATE[phase, step] in PHASES


@pytest.mark.parametrize("state", Operation)
def test_operation_detector_ready_always_looks_again(state: Operation) -> None:
    assert OPERATION[state, Happening.DETECTOR_READY] in {Operation.LOCAL, Operation.SAFE}


@pytest.mark.parametrize("state", Operation)
def test_operation_same_event_twice_is_like_once(state: Operation) -> None:
    for happening in Happening:
        once = OPERATION[state, happening]
        assert OPERATION[once, happening] == once, happening


@pytest.mark.parametrize("happening", [Happening.CLOUD_UP, Happening.CLOUD_DOWN, Happening.NOT_ENROLLED])
def test_operation_local_detection_needs_no_cloud(happening: Happening) -> None:
    assert OPERATION[Operation.LOCAL, happening] == Operation.LOCAL


def reachable(table: Mapping[Any, object], start: object) -> set[object]:
    found, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        new = {after for (before, _), after in table.items() if before == state} - found
        found |= new
        waiting += new
    return found


def test_every_state_is_reachable_from_the_start() -> None:
    assert reachable(OPERATION, Operation.BOOT) == set(Operation)
    assert reachable(UPDATE, "idle") == set(PHASES)


@given(st.lists(st.sampled_from(Happening), max_size=20))
def test_operation_after_anything_a_detector_heals_all_but_safe(happened: list[Happening]) -> None:
    state = Operation.BOOT
    for happening in happened:
        state = OPERATION[state, happening]
    if Happening.CRASH_LOOP not in happened:
        assert OPERATION[state, Happening.DETECTOR_READY] == Operation.LOCAL
    else:
        assert state not in {Operation.BOOT, Operation.ENROL} or happened[-1] != Happening.CRASH_LOOP


@given(st.lists(st.sampled_from(Step), max_size=20))
def test_update_commit_only_after_a_healthy_trial(steps: list[Step]) -> None:
    phase: UpdatePhase = "idle"
    for step in steps:
        before, phase = phase, UPDATE[phase, step]
        if phase == "commit" and before != "commit":
            assert (before, step) == ("trial", Step.HEALTHY)
        if phase == "rollback" and before != "rollback":
            assert (before, step) == ("trial", Step.UNFIT)


@pytest.mark.parametrize(
    ("before", "after", "lawful"),
    [
        ("idle", "download", True),
        ("download", "trial", True),
        ("trial", "commit", True),
        ("rollback", "idle", True),
        ("idle", "commit", False),
        ("download", "commit", False),
        ("verify", "rollback", False),
        ("commit", "rollback", False),
    ],
)
def test_is_lawful_follows_the_table(before: UpdatePhase, after: UpdatePhase, lawful: bool) -> None:
    assert is_lawful(before, after) is lawful


Fault = Literal["error", "killed", "hang", "full disk"]
FAULTS: tuple[Fault, ...] = ("error", "killed", "hang", "full disk")

# What each fault makes happen to an agent in operation. Killed, and hanging until the watchdog kills it, it
# starts anew, from BOOT; a full disk costs durability only.
HAPPENINGS: Mapping[Fault, tuple[Happening, ...]] = {
    "error": (Happening.DETECTOR_LOST,),
    "killed": (),
    "hang": (),
    "full disk": (),
}

# (state, fault) → where the agent is one tick later, without the network and with it.
SCENARIOS: Mapping[tuple[Operation, Fault], tuple[Operation, Operation]] = {
    (Operation.BOOT, "error"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.BOOT, "killed"): (Operation.LOCAL, Operation.LOCAL),
    (Operation.BOOT, "hang"): (Operation.LOCAL, Operation.LOCAL),
    (Operation.BOOT, "full disk"): (Operation.BOOT, Operation.BOOT),
    (Operation.ENROL, "error"): (Operation.ENROL, Operation.ENROL),
    (Operation.ENROL, "killed"): (Operation.ENROL, Operation.ENROL),
    (Operation.ENROL, "hang"): (Operation.ENROL, Operation.ENROL),
    (Operation.ENROL, "full disk"): (Operation.ENROL, Operation.ENROL),
    (Operation.LOCAL, "error"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.LOCAL, "killed"): (Operation.LOCAL, Operation.LOCAL),
    (Operation.LOCAL, "hang"): (Operation.LOCAL, Operation.LOCAL),
    (Operation.LOCAL, "full disk"): (Operation.LOCAL, Operation.LOCAL),
    (Operation.OFFLOAD, "error"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.OFFLOAD, "killed"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.OFFLOAD, "hang"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.OFFLOAD, "full disk"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.BLIND, "error"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.BLIND, "killed"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.BLIND, "hang"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.BLIND, "full disk"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.SAFE, "error"): (Operation.BLIND, Operation.OFFLOAD),
    (Operation.SAFE, "killed"): (Operation.SAFE, Operation.SAFE),
    (Operation.SAFE, "hang"): (Operation.SAFE, Operation.SAFE),
    (Operation.SAFE, "full disk"): (Operation.SAFE, Operation.SAFE),
}

# What an agent that starts anew finds, by the state that it died in.
FOUND: Mapping[Operation, tuple[Happening, ...]] = {
    Operation.BOOT: (Happening.DETECTOR_READY,),
    Operation.ENROL: (Happening.DETECTOR_LOST, Happening.NOT_ENROLLED),
    Operation.LOCAL: (Happening.DETECTOR_READY,),
    Operation.OFFLOAD: (Happening.DETECTOR_LOST,),
    Operation.BLIND: (Happening.DETECTOR_LOST,),
    Operation.SAFE: (Happening.CRASH_LOOP, Happening.DETECTOR_READY),
}


@pytest.mark.parametrize("network", [False, True])
@pytest.mark.parametrize(("state", "fault"), list(product(Operation, FAULTS)))
def test_operation_every_state_survives_every_fault(state: Operation, fault: Fault, network: bool) -> None:
    restarted = fault in {"killed", "hang"}
    happened = [*(FOUND[state] if restarted else HAPPENINGS[fault])]
    if state is not Operation.ENROL:  # which has no cloud yet
        happened.append(Happening.CLOUD_UP if network else Happening.CLOUD_DOWN)
    after = Operation.BOOT if restarted else state
    for happening in happened:
        after = OPERATION[after, happening]
    assert after == SCENARIOS[state, fault][network]


PhaseFault = Literal["killed", "unfit", "full disk"]
# (phase, fault) → the phase that the next start finds. Before a bundle runs, nothing has to be taken back.
PHASE_SCENARIOS: Mapping[tuple[UpdatePhase, PhaseFault], UpdatePhase] = {
    ("idle", "killed"): "idle",
    ("idle", "unfit"): "idle",
    ("idle", "full disk"): "idle",
    ("download", "killed"): "idle",
    ("download", "unfit"): "idle",
    ("download", "full disk"): "idle",
    ("verify", "killed"): "idle",
    ("verify", "unfit"): "idle",
    ("verify", "full disk"): "idle",
    ("trial", "killed"): "trial",
    ("trial", "unfit"): "rollback",
    ("trial", "full disk"): "trial",
    ("commit", "killed"): "commit",
    ("commit", "unfit"): "commit",
    ("commit", "full disk"): "commit",
    ("rollback", "killed"): "rollback",
    ("rollback", "unfit"): "rollback",
    ("rollback", "full disk"): "rollback",
}


@pytest.mark.parametrize(("phase", "fault"), list(product(PHASES, get_args(PhaseFault))))
def test_update_every_phase_survives_every_fault(phase: UpdatePhase, fault: PhaseFault) -> None:
    # A full disk cuts an installation off, as a kill does; it goes on once there is room.
    step = Step.UNFIT if fault == "unfit" else Step.CUT_OFF
    assert UPDATE[phase, step] == PHASE_SCENARIOS[phase, fault]
