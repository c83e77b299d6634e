"""What a search tries and what it teaches on: tables."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from compress.candidates import Candidate
from compress.lessons import Likeness
from compress.search_plan import (
    SearchPlan,
    Tried,
    best_first,
    cheapest_hopeful,
    grid,
    is_hopeless,
    share_of_time,
    sizes_for,
    with_sure_one_early,
)
from compress.structures import Structure
from edge_agent.wire.receipt import Removal
from tests.compress.tiny import fitted_network

SIZES_PX = ((640, 480), (512, 384), (416, 320))


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


@cache
def _network_as_it_is() -> Candidate:
    return Candidate.of(fitted_network(), (96, 64))


def _candidate(work: int, *stages: str) -> Candidate:
    removed = tuple(Removal(stage=stage, what="something") for stage in stages)
    return replace(_network_as_it_is(), name=f"{work}", work=work, removed=removed)


def _tried(work: int, near: float) -> Tried:
    return Tried(_candidate(work), Likeness(near, near))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(100, 0.97), (50, 0.965), (20, 0.8)], [50, 100, 20]),
        ([(100, 0.97), (50, 0.90), (20, 0.8)], [100, 50, 20]),
        ([(100, 0.90), (50, 0.97), (20, 0.8)], [50, 20]),  # the dearest is beaten in both
        ([(100, 0.9)], [100]),
        ([], []),
    ],
)
def test_best_first_of_finished_ones_begins_with_the_cheapest_near_one(
    found: list[tuple[int, float]], expected: list[int]
) -> None:
    assert [one.candidate.work for one in best_first([_tried(*one) for one in found])] == expected


@pytest.mark.parametrize(
    ("found", "hopeless", "cheapest"),
    [
        ([(100, 0.97), (50, 0.90)], False, 50),
        ([(100, 0.97), (50, 0.95), (20, 0.5)], True, 50),
        ([(100, 0.97), (50, 0.6)], True, 100),
        ([(100, 0.90), (50, 0.97)], False, 50),
    ],
)
def test_is_hopeless_of_the_newest_far_behind_and_cheapest_hopeful_is_another(
    found: list[tuple[int, float]], *, hopeless: bool, cheapest: int
) -> None:
    tried = [_tried(*one) for one in found]

    assert is_hopeless(tried) == hopeless
    assert cheapest_hopeful(tried).candidate.work == cheapest


def test_with_sure_one_early_puts_it_second_also_when_others_beat_it() -> None:
    sure = Tried(_candidate(1300, "subnets", "levels"), Likeness(0.90, 0.90))
    others = [Tried(_candidate(work, "blocks"), Likeness(0.95, 0.95)) for work in (900, 400, 300)]

    assert with_sure_one_early(others, [sure, *others]) == [others[0], sure, *others[1:]]
    assert with_sure_one_early([sure, *others], [sure, *others])[0] is sure
    assert with_sure_one_early(others, others) == others


WHOLE = Structure("", _candidate(4000))
SURE = Structure("less", _candidate(1300, "subnets", "levels"))
FEWER = Structure("fewer", _candidate(900, "subnets", "levels", "blocks"))


def test_grid_of_structures_has_the_sure_one_and_the_least_harmful_at_each_cost() -> None:
    places = grid([WHOLE, SURE, FEWER], SearchPlan(SIZES_PX, cheaper=(2.3, 2.75, 4.0)))

    assert [(one.words, size, share) for one, size, share in places] == [
        ("less", (640, 480), 0.0),
        ("fewer", (640, 480), 0.4),
        ("fewer", (640, 480), 0.5),
        ("fewer", (640, 480), 0.65),
    ]


def test_share_of_time_of_rungs_goes_by_what_a_view_costs_and_how_many_each_sees() -> None:
    sure, fewer = (replace(one.candidate, macs=macs) for one, macs in ((SURE, 1200), (FEWER, 800)))
    rungs = [
        (replace(SURE, candidate=sure), (640, 480), 0.0),
        (replace(FEWER, candidate=fewer), (320, 240), 0.5),
    ]

    assert share_of_time(rungs, (640, 480)) == pytest.approx(1200 / (1200 + 4 * 100))
    assert share_of_time(rungs[1:], (640, 480)) == 1.0


@pytest.mark.parametrize("found", [[WHOLE], [WHOLE, SURE]])
def test_grid_never_tries_the_full_detector_and_nothing_twice(found: list[Structure]) -> None:
    places = grid(found, SearchPlan(SIZES_PX, cheaper=(1.01, 1.02, 1.03, 2.0, 2.0, 90.0)))

    assert (WHOLE, (640, 480), 0.0) not in places
    assert len(places) == len(set(map(repr, places))) >= 6


def test_grid_with_little_to_choose_from_takes_what_there_is() -> None:
    places = grid([WHOLE], SearchPlan(((640, 480),), shares=(0.0, 0.5)))

    assert [(size, share) for _, size, share in places] == [((640, 480), 0.5)]
