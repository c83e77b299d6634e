"""Each fault of the table, done to real processes: truth is told, all comes back, no event is lost or twice.

All faults run side by side, each on an agent (or camera) of its own, against one broker and one cloud; then
broker and cloud are killed under all of them. The tests read what came of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pytest

from edge_agent.vision.arrays import Rgb
from tests.fakes.proxy import Proxies
from tests.fakes.rtsp_server import RtspServer, encoded
from tests.fakes.squares import square_picture
from tests.system.faults.course import Account, Course, missing_numbers, reconcile, run_together
from tests.system.faults.table import AGENT_FAULTS, EVERYBODY, Fault, memory_fault, stream_faults
from tests.system.faults.world import Patient, World
from tests.system.loop import CLOCK

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(600)]

_STREAMS = ("killed", "frozen", "garbage", "size", "slow", "password", "black")
_HUNGRY = "out-of-memory"
_LOOP_FPS, _LOOP_PICTURES = 15, 75
_DRAIN_S = 60.0
_ON_DISK = frozenset({"disk-full", "disk-read-only"})


@dataclass(frozen=True)
class Outcome:
    """What came of all faults."""

    courses: dict[str, Course]
    accounts: dict[str, Account]
    missing: dict[str, dict[str, list[int]]]


def _shows() -> dict[str, list[Rgb]]:
    """Return loops of five seconds, in two of which a square moves."""
    squares = [
        square_picture((n - 8) * 40 // _LOOP_FPS if 8 <= n < 38 else None) for n in range(_LOOP_PICTURES)
    ]
    return {
        "squares": squares,
        "large": [rgb.repeat(2, axis=0).repeat(2, axis=1) for rgb in squares],
        "huge": [squares[0].repeat(10, axis=0).repeat(10, axis=1)] * 5,
        "black": [np.zeros_like(squares[0])] * _LOOP_PICTURES,
    }


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    if not _can_mount():
        pytest.skip("this machine lets nobody mount a small disk (unshare --user --mount)")
    with ExitStack() as stack:
        world = World(tmp_path_factory.mktemp("faults"), stack.enter_context(Proxies()))
        stack.callback(world.stop)
        world.wait_for_cloud()
        courses = _admit(world, stack)
        run_together(list(courses.values()))
        for fault in EVERYBODY:
            courses[fault.name] = Course(fault, courses["killed"].patient)
            run_together([courses[fault.name]])
        yield _take_stock(courses)


def _can_mount() -> bool:
    probe = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _admit(world: World, stack: ExitStack) -> dict[str, Course]:
    pictures = {name: encoded(show) for name, show in _shows().items()}
    login = {"password": ("me", "hidden")}
    servers = {
        name: stack.enter_context(
            RtspServer(pictures=pictures["squares"], login=login.get(name), digest=name == "password")
        )
        for name in (*_STREAMS, _HUNGRY)
    }
    addresses = {name: servers[name].url for name in _STREAMS}
    yard = _patient(world, stack, "yard", cameras=addresses)
    courses = {
        f"stream-{fault.name}": Course(fault, yard, fault.name) for fault in stream_faults(servers, pictures)
    }
    hungry = memory_fault(servers[_HUNGRY], pictures)
    patient = _patient(world, stack, _HUNGRY, cameras={"front": servers[_HUNGRY].url})
    courses[_HUNGRY] = Course(hungry, patient)
    for fault in AGENT_FAULTS:
        courses[fault.name] = Course(fault, _patient(world, stack, fault.name, disk=fault.name in _ON_DISK))
    return courses


def _patient(
    world: World, stack: ExitStack, name: str, *, cameras: dict[str, str] | None = None, disk: bool = False
) -> Patient:
    patient = Patient.admit(world, name, cameras=cameras, disk=disk)
    stack.callback(patient.close)
    patient.start()
    return patient


def _take_stock(courses: dict[str, Course]) -> Outcome:
    patients = {course.patient.name: course.patient for course in courses.values()}
    quiet_s = CLOCK.monotonic_s()
    for patient in patients.values():
        _wait_until_drained(patient, quiet_s)
        patient.end()
    accounts = {}
    for name, course in courses.items():
        of_all = [courses[fault.name] for fault in EVERYBODY if fault.name in courses]
        blind = [one.harmed for one in [course, *of_all] if one.fault.blind]
        accounts[name] = reconcile(course.patient, course.camera, blind)
    missing = {name: missing_numbers(patient) for name, patient in patients.items()}
    outcome = Outcome(courses, accounts, missing)
    (next(iter(patients.values())).world.folder / "outcome.txt").write_text(_as_text(outcome))
    return outcome


def _wait_until_drained(patient: Patient, quiet_s: float) -> None:
    """Wait for something newer than `quiet_s` in the cloud: everything older had its turn before.

    Where nothing comes, the accounts will tell what is lost.
    """
    camera, until_s = next(iter(patient.cameras)), CLOCK.monotonic_s() + _DRAIN_S
    while not patient.stored_since(quiet_s, camera) and CLOCK.monotonic_s() < until_s:
        CLOCK.sleep(0.5)


def _as_text(outcome: Outcome) -> str:
    """Return a line for each fault, for people."""
    lines = []
    for name, course in outcome.courses.items():
        told, back = (f"{s:.1f} s" if s is not None else "never" for s in (course.truth_s, course.back_s))
        account = outcome.accounts[name]
        lines.append(
            f"{name:25} told {told:8} back {back:8} visits {account.visits:3}"
            f" lost {len(account.lost)} doubled {len(account.doubled)}"
        )
    return "\n".join(lines) + "\n"


NAMES = [
    *(f"stream-{name}" for name in _STREAMS),
    _HUNGRY,
    *(fault.name for fault in AGENT_FAULTS),
    *(fault.name for fault in EVERYBODY),
]


@pytest.mark.parametrize("name", NAMES)
def test_fault_truth_is_told_and_all_is_well_again_in_time(outcome: Outcome, name: str) -> None:
    course = outcome.courses[name]
    fault: Fault = course.fault
    assert course.well, f"not well before; {course.patient.last_words()}"
    assert course.truth_s is not None, course.problem
    assert course.truth_s <= fault.truth_s, course.problem
    assert course.back_s is not None, f"never well again; {course.patient.last_words()}"
    assert course.back_s <= fault.back_s, course.patient.last_words()


@pytest.mark.parametrize("name", NAMES)
def test_fault_costs_no_event_and_doubles_none(outcome: Outcome, name: str) -> None:
    account = outcome.accounts[name]
    assert account.visits >= 3
    assert account.lost == [], outcome.courses[name].patient.last_words()
    assert account.doubled == []


def test_faults_leave_no_gap_in_the_numbers_of_a_spool(outcome: Outcome) -> None:
    assert {name: gaps for name, gaps in outcome.missing.items() if gaps} == {}
