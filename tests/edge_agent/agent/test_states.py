"""The two state machines: made from the tables, so that a state without a row fails."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, get_args

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
