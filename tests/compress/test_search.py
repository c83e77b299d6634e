"""The search on a tiny detector: what is tried, what comes back, cancelling and going on."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.blocks import traced
from compress.candidates import Candidate, Student
from compress.errors import CancelledError
from compress.progress import Progress
from compress.search import Watch, find_students, search
from compress.search_plan import SearchPlan
from compress.students import Task
from edge_agent.clock import SystemClock
from edge_agent.runtime.profiles import load_profile
from tests.compress.tiny import TinyDetector

PLAN = SearchPlan(sizes_px=((96, 64),), shares=(0.0, 0.3, 0.5), cheaper=(1.4, 2.0), budget_s=6.0)


def _watch(said: list[Progress], *, stop_after_the_first: bool = False) -> Watch:
    def is_time_to_stop() -> bool:
        if not stop_after_the_first or not said or said[-1].message.startswith("Teaching 1 of 2"):
            return False
        return any(one.message.startswith("Teaching 1 of 2") for one in said)

    return Watch(said.append, is_time_to_stop, SystemClock())


@pytest.mark.slow
def test_search_of_a_tiny_detector_finds_a_smaller_network_that_sees_the_same(tmp_path: Path) -> None:
    detector, said = TinyDetector(calibration=40), list[Progress]()

    found = search(detector, PLAN, tmp_path, _watch(said))

    best, whole = found.finished[0], Candidate.of(traced(detector.network()), (96, 64))
    assert best.candidate.macs < whole.macs
    assert best.likeness.agreement_f1 > 0.9
    assert best.candidate.removed[0].parameters_before == whole.parameters
    assert best.candidate.removed[-1].parameters_after == best.candidate.parameters
    assert [one.fraction for one in said] == sorted(one.fraction for one in said)
    assert {one.candidate.name for one in found.finished} < {one.candidate.name for one in found.tried}


@pytest.mark.slow
def test_search_that_is_cancelled_goes_on_where_it_was(tmp_path: Path) -> None:
    detector, said, again = TinyDetector(calibration=40), list[Progress](), list[Progress]()
    with pytest.raises(CancelledError):
        search(detector, PLAN, tmp_path, _watch(said, stop_after_the_first=True))

    found = search(detector, PLAN, tmp_path, _watch(again))

    assert any(one.message.startswith("Teaching 1 of 2") for one in said)
    assert not any(one.message.startswith("Teaching 1 of 2") for one in again)
    assert len(found.tried) == 2


@pytest.mark.slow
def test_find_students_for_a_device_gives_detectors_that_can_be_exported(tmp_path: Path) -> None:
    detector = TinyDetector(calibration=40)
    task = Task(detector, (load_profile("pi-4"),), 10.0, tmp_path)

    students = find_students(task, progress=lambda _: None, cancelled=lambda: False, clock=SystemClock())

    assert isinstance(students[0].detector, Student)
    assert students[0].detector.labels == detector.labels
    assert students[0].detector.network() is not students[0].detector.network()
    assert students[0].removed
