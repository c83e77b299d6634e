"""Budgets do not run out while others have the processor."""

from __future__ import annotations

import pytest

from compress.pace import PatientClock, thread_waits
from tests.fakes.clock import FakeClock


@pytest.mark.parametrize(
    ("ran_s", "waited_s", "counted_s"),
    [
        (6.0, 0.0, 6.0),  # nobody else
        (3.0, 3.0, 3.0),  # half of the machine
        (0.0, 0.0, 6.0),  # nothing wanted a processor: time is time
        (0.1, 5.9, 2.0),  # almost nothing: not for ever
    ],
)
def test_patient_clock_counts_the_share_of_the_processor(
    ran_s: float, waited_s: float, counted_s: float
) -> None:
    clock, waits = FakeClock(), {"1": (1.0, 1.0)}
    patient = PatientClock(clock, lambda: dict(waits))
    start_s = patient.monotonic_s()

    clock.advance(6.0)
    waits["1"] = (1.0 + ran_s, 1.0 + waited_s)

    assert patient.monotonic_s() - start_s == pytest.approx(counted_s)
    assert patient.monotonic_s() - start_s == pytest.approx(counted_s)


def test_patient_clock_with_threads_that_come_and_go_never_goes_back() -> None:
    clock, waits = FakeClock(), {"1": (5.0, 5.0)}
    patient = PatientClock(clock, lambda: dict(waits))
    before_s = patient.monotonic_s()
    clock.advance(4.0)
    del waits["1"]
    waits["2"] = (1.0, 1.0)

    assert patient.monotonic_s() - before_s == pytest.approx(2.0)


def test_thread_waits_of_this_process_are_never_negative() -> None:
    assert all(ran_s >= 0 and waited_s >= 0 for ran_s, waited_s in thread_waits().values())
