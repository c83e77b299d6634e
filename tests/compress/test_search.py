"""The search on a tiny detector: what is tried, what comes back, cancelling and going on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compress.blocks import traced
from compress.candidates import Candidate, Student
from compress.errors import CancelledError
from compress.lessons import Likeness
from compress.progress import Progress
from compress.search import (
    SearchPlan,
    Tried,
    Watch,
    choose_finalists,
    find_students,
    grid,
    search,
    sizes_for,
)
from compress.structures import Structure
from compress.students import Task
from edge_agent.clock import SystemClock
from edge_agent.runtime.profiles import load_profile
from edge_agent.wire.receipt import Removal
from tests.compress.tiny import TinyDetector, fitted_network

PLAN = SearchPlan(sizes_px=((96, 64),), shares=(0.0, 0.5), candidates=2, finalists=1, budget_s=6.0)


def _watch(said: list[Progress], stop_at: str | None = None) -> Watch:
    def is_time_to_stop() -> bool:
        return stop_at is not None and bool(said) and said[-1].message.startswith(stop_at)

    return Watch(said.append, is_time_to_stop, SystemClock())


@pytest.mark.parametrize(
    ("own", "profile", "expected"),
    [
        ((640, 480), [(320, 256)], ((640, 480), (512, 384), (320, 256))),
        ((640, 480), [(640, 480), (512, 384), (256, 192)], ((640, 480), (512, 384))),
        ((320, 320), [(320, 256), (640, 480)], ((320, 320), (256, 256))),
        ((96, 64), [], ((96, 64), (64, 64))),
    ],
)
def test_sizes_for_a_profile_are_its_smaller_ones_and_the_detectors_own(
    own: tuple[int, int], profile: list[tuple[int, int]], expected: tuple[tuple[int, int], ...]
) -> None:
    sizes = sizes_for(own, profile)

    assert set(expected) <= set(sizes)
    assert sizes[0] == own
    assert all(side % 32 == 0 for size in sizes for side in size)


def _tried(macs: int, near: float) -> Tried:
    candidate = Candidate(f"{macs}", fitted_network(), (96, 64), (), macs, 1)
    return Tried(candidate, Likeness(near, near))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(100, 0.97), (50, 0.965), (20, 0.8)], [50, 100]),
        ([(100, 0.97), (50, 0.90), (20, 0.8)], [100, 50]),
        ([(100, 0.90), (50, 0.97), (20, 0.8)], [50, 20]),  # the dearest is beaten in both
        ([(100, 0.9)], [100]),
    ],
)
def test_choose_finalists_of_tried_ones_takes_the_cheapest_near_one_first(
    found: list[tuple[int, float]], expected: list[int]
) -> None:
    chosen = choose_finalists([_tried(*one) for one in found], 2)

    assert [one.candidate.macs for one in chosen] == expected


def test_grid_of_structures_leaves_the_full_detector_out_and_spans_all_costs() -> None:
    first = Candidate.of(fitted_network(), (96, 64))
    plan = SearchPlan(sizes_px=((96, 64), (64, 64)), shares=(0.0, 0.3, 0.5), candidates=3)

    places = grid([Structure("", first)], plan)

    assert [(size, share) for _, size, share in places] == [((96, 64), 0.3), ((96, 64), 0.5), ((64, 64), 0.5)]


def test_grid_always_has_what_lacks_parts_only_at_the_own_size() -> None:
    whole = Candidate.of(fitted_network(), (96, 64))
    less = replace(
        whole, macs=whole.macs // 2, removed=(Removal(stage="levels", what="the coarsest"),), name="less"
    )
    fewer = replace(less, macs=whole.macs // 3, removed=(Removal(stage="blocks", what="one"),), name="fewer")
    structures = [Structure("", whole), Structure("less", less), Structure("fewer", fewer)]
    for count in (2, 3, 4):
        plan = SearchPlan(sizes_px=((96, 64), (64, 64)), shares=(0.0, 0.3, 0.5), candidates=count)
        places = [(one.words, size, share) for one, size, share in grid(structures, plan)]
        assert ("less", (96, 64), 0.0) in places
        assert len(set(places)) == count


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
        search(detector, PLAN, tmp_path, _watch(said, stop_at="Teaching finalist"))

    found = search(detector, PLAN, tmp_path, _watch(again))

    assert any(one.message.startswith("Teaching 1 of 2") for one in said)
    assert not any(one.message.startswith("Teaching 1 of 2") for one in again)
    assert len(found.tried) == 3


@pytest.mark.slow
def test_find_students_for_a_device_gives_detectors_that_can_be_exported(tmp_path: Path) -> None:
    detector = TinyDetector(calibration=40)
    task = Task(detector, load_profile("pi-4"), 10.0, tmp_path)

    students = find_students(task, progress=lambda _: None, cancelled=lambda: False, clock=SystemClock())

    assert isinstance(students[0].detector, Student)
    assert students[0].detector.labels == detector.labels
    assert students[0].detector.network() is not students[0].detector.network()
    assert students[0].removed
