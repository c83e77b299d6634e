"""How soon to look again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.pipeline.cadence import (
    SPARING,
    LookSettings,
    asks,
    asks_after_s,
    foretold,
    is_crowded,
    roomy,
    wait_s,
)
from edge_agent.pipeline.scene import Scene
from edge_agent.pipeline.track import Track, Tracker
from edge_agent.pipeline.zones import Line, Zone
from edge_agent.wire.detection import Detection
from tests.edge_agent.pipeline.scenes import person

STEP_S = 0.2
USUAL = LookSettings()
RIGHT_HALF = Zone("right", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
MIDDLE = Line("middle", (0.5, 0.0), (0.5, 1.0))


def followed(looks: list[list[Detection]], *, announced: bool = True) -> tuple[Track, float]:
    """Return the only thing that is followed, and the moment of the last look."""
    tracker = Tracker(lambda _label: 0.4, lambda _label: 0.5)
    for index, look in enumerate(looks):
        for track in tracker.update(look, index * STEP_S).alive:
            track.announced = announced
    (track,) = tracker.tracks
    return track, (len(looks) - 1) * STEP_S


def standing(pictures: int) -> list[list[Detection]]:
    return [[person(0.3)]] * pictures


def walking(pictures: int, step: float = 0.01) -> list[list[Detection]]:
    return [[person(0.1 + step * index)] for index in range(pictures)]


@pytest.mark.parametrize(
    ("looks", "announced", "expected_s"),
    [
        (standing(1), False, 0.0),
        (standing(2), False, 0.0),
        (standing(10), False, 0.0),
        (standing(12), False, math.inf),
        (standing(5), True, math.inf),
        ([*standing(5), [], []], True, 0.0),
        ([*standing(5), [], [], []], True, 0.3),
        ([*standing(5), *[[]] * 10], True, 1.0),
        ([*walking(5), *[[]] * 12], True, 0.66),
        ([*standing(50), *[[]] * 32], True, 1.66),
    ],
    ids=[
        "seen once", "seen twice", "unsure", "unsure for more than 2 s", "in view",
        "missing twice", "missing 0.6 s", "missing 2 s", "missing 2.4 of 3 s", "missing 6.4 of 8 s",
    ],
)  # fmt: skip
def test_thing_asks_the_later_the_longer_it_is_as_it_is(
    looks: list[list[Detection]], announced: bool, expected_s: float
) -> None:
    track, looked_s = followed(looks, announced=announced)
    assert asks_after_s(track, looked_s, USUAL) == pytest.approx(expected_s)


def test_nothing_followed_asks_for_nothing() -> None:
    assert not asks((), 100.0, 0.0, 0.0, USUAL)


def test_thing_asks_from_its_time_on() -> None:
    track, looked_s = followed([*standing(5), *[[]] * 4])
    moments = [looked_s + STEP_S * index for index in range(1, 5)]
    assert [asks((track,), at_s, looked_s, looked_s, USUAL) for at_s in moments] == [False, True, True, True]


@pytest.mark.parametrize(("look", "most"), [(USUAL, 13), (SPARING, 11)], ids=["usual", "sparing"])
def test_unsure_thing_stops_asking_for_looks(look: LookSettings, most: int) -> None:
    tracker = Tracker(lambda _label: 0.4, lambda _label: 0.5)
    looks = 0
    for index in range(100):
        at_s = STEP_S * index
        if asks(tracker.tracks, at_s, tracker.last_update_s, 0.0, look) or index % 50 == 0:
            tracker.update([person(0.3, 0.45)], at_s)
            looks += 1
    assert 3 <= looks <= most


def test_detector_that_wavers_about_a_still_picture_is_asked_ever_less() -> None:
    tracker = Tracker(lambda _label: 0.4, lambda _label: 0.5)
    looked: list[float] = []
    for index in range(300):
        at_s = STEP_S * index
        if asks(tracker.tracks, at_s, tracker.last_update_s, 0.0, SPARING) or index == 0:
            # Each time it sees something else, once.
            tracker.update([person(0.1 * (len(looked) % 7), 0.6, y=0.1 * (len(looked) % 5))], at_s)
            looked.append(at_s)
    assert looked[:2] == [0.0, 0.2]
    assert len(looked) <= 25


def test_thing_that_people_were_told_of_is_looked_for_sooner_at_rest_than_one_they_were_not() -> None:
    tracker = Tracker(lambda _label: 0.4, lambda _label: 0.5)
    tracker.update([person(0.3, 0.6)], 0.0)
    tracker.update([], 4.0)
    (track,) = tracker.tracks
    assert not asks([track], 7.0, 4.0, 0.0, SPARING)
    assert asks([track], 8.0, 4.0, 0.0, SPARING)
    track.announced = True
    assert not asks([track], 5.0, 4.0, 0.0, SPARING)
    assert asks([track], 6.0, 4.0, 0.0, SPARING)


@pytest.mark.parametrize(
    ("looks", "expected_s"),
    [(walking(2), 0.1), (walking(4), 0.3), (walking(60), 1.0)],
)
def test_thing_that_moves_as_foretold_can_do_without_a_look_ever_longer(
    looks: list[list[Detection]], expected_s: float
) -> None:
    track, looked_s = followed(looks)
    assert wait_s(track, looked_s + STEP_S, looked_s, Scene(), SPARING) == pytest.approx(expected_s)


def test_thing_that_jumps_is_looked_at_soon_again() -> None:
    track, looked_s = followed([*walking(20), [person(0.37)]])
    assert wait_s(track, looked_s + STEP_S, looked_s, Scene(), SPARING) == 0.0


@pytest.mark.parametrize("scene", [Scene(zones=(RIGHT_HALF,)), Scene(lines=(MIDDLE,))])
@pytest.mark.parametrize(("ahead_s", "due"), [(0.2, False), (1.0, True)])
def test_thing_that_should_be_in_a_zone_or_over_a_line_by_now_is_looked_at(
    scene: Scene, ahead_s: float, due: bool
) -> None:
    # Its feet come over the middle half a second after it was last seen.
    track, looked_s = followed(walking(33))
    assert (wait_s(track, looked_s + ahead_s, looked_s, scene, SPARING) == 0.0) is due


def test_without_sparing_nothing_is_foretold() -> None:
    track, looked_s = followed(walking(20))
    assert foretold((track,), looked_s, looked_s, Scene(), 0.75, USUAL) is None


def test_the_first_thing_that_wants_a_look_decides() -> None:
    old, looked_s = followed(walking(30))
    fresh, _ = followed([[person(0.8)]], announced=False)
    alone = foretold((old,), looked_s, looked_s, Scene(), 0.75, SPARING)
    both = foretold((old, fresh), looked_s, looked_s, Scene(), 0.75, SPARING)
    nobody = foretold((), looked_s, looked_s, Scene(), 0.75, SPARING)
    assert [one and one.wait_s() for one in (alone, both, nobody)] == [1.0, 0.0, 1.0]
    assert both is not None
    assert len(both.boxes()) == 2


@pytest.mark.parametrize(
    ("second", "crowded"),
    [(standing(60), True), ([[person(0.8)]] * 60, False)],
    ids=["one walks past", "far apart"],
)
def test_things_that_could_be_taken_for_one_another_are_looked_at(
    second: list[list[Detection]], crowded: bool
) -> None:
    walker, looked_s = followed([[person(0.2 + 0.002 * index)] for index in range(60)])
    other, _ = followed(second)
    assert is_crowded((walker, other), looked_s, 0.75, SPARING) is crowded


def test_things_that_stand_side_by_side_are_no_crowd() -> None:
    one, looked_s = followed(standing(60))
    other, _ = followed([[person(0.32)]] * 60)
    assert not is_crowded((one, other), looked_s, 0.75, SPARING)


LOOKS = st.lists(
    st.lists(st.builds(person, x=st.floats(0.0, 0.9), score=st.floats(0.3, 1.0)), max_size=2), max_size=20
)


@settings(max_examples=40, deadline=None)
@given(LOOKS, st.booleans(), st.floats(0.0, 3.0))
def test_no_wait_is_negative_or_longer_than_the_longest(
    looks: list[list[Detection]], announced: bool, ahead_s: float
) -> None:
    tracker = Tracker(lambda _label: 0.4, lambda _label: 0.5)
    for index, look in enumerate(looks):
        for track in tracker.update(look, index * STEP_S).alive:
            track.announced = announced
    looked_s = tracker.last_update_s
    for track in tracker.tracks:
        waits_s = wait_s(track, looked_s + ahead_s, looked_s, Scene(zones=(RIGHT_HALF,)), SPARING)
        assert 0.0 <= waits_s <= SPARING.most_s
        assert asks_after_s(track, looked_s, SPARING) >= 0.0


@given(st.floats(0.0, 0.9), st.floats(0.0, 1.0), st.floats(0.4, 2.0))
def test_roomy_box_has_the_same_middle_and_no_less_room(x: float, margin: float, tall: float) -> None:
    box = person(x).box
    large = roomy(box, tall, margin)
    assert large[0] <= box[0] <= box[2] <= large[2]
    assert large[1] <= box[1] <= box[3] <= large[3]
    assert large[0] + large[2] == pytest.approx(box[0] + box[2])
    assert large[1] + large[3] == pytest.approx(box[1] + box[3])
