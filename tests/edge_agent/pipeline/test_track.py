"""Following things."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.pipeline.track import Tracker, TrackSettings
from edge_agent.wire.detection import Detection
from tests.edge_agent.pipeline.scenes import person

DETECTIONS = st.lists(
    st.builds(
        person,
        x=st.floats(0.0, 0.9),
        y=st.floats(0.0, 0.7),
        score=st.floats(0.0, 1.0),
        label=st.sampled_from(["person", "car"]),
    ),
    max_size=6,
)


def tracker() -> Tracker:
    return Tracker(lambda _label: 0.4, lambda _label: 0.5)


def follow(looks: list[list[Detection]], step_s: float = 0.2) -> tuple[Tracker, list[set[int]]]:
    following = tracker()
    numbers = []
    for index, look in enumerate(looks):
        step = following.update(look, index * step_s)
        numbers.append({t.number for t in step.alive if t.misses == 0})
    return following, numbers


@settings(max_examples=40, deadline=None)
@given(st.lists(DETECTIONS, max_size=12))
def test_tracker_any_input_keeps_its_promises(looks: list[list[Detection]]) -> None:
    following, born, gone_numbers = tracker(), set[int](), set[int]()
    for index, look in enumerate(looks):
        step = following.update(look, index * 0.5)
        alive = {t.number for t in step.alive}
        assert len(alive) == len(step.alive)
        assert not alive & gone_numbers, "a number came back"
        gone_numbers |= {t.number for t in step.gone}
        assert not alive & gone_numbers
        born |= alive | gone_numbers
        seen = [t for t in step.alive if t.misses == 0]
        assert len(seen) <= len(look)
        assert all(any(t.box == d.box and t.label == d.label for d in look) for t in seen)
        assert all(t.sights >= 1 and t.first_s <= t.last_s <= index * 0.5 for t in step.alive)
    assert born == set(range(1, len(born) + 1))


@settings(max_examples=40, deadline=None)
@given(speed=st.floats(-0.3, 0.3), start=st.floats(0.3, 0.6), step_s=st.sampled_from([0.1, 0.2, 0.5]))
def test_tracker_one_walker_is_one_track_at_any_walking_speed(
    speed: float, start: float, step_s: float
) -> None:
    positions = [start + speed * i * step_s for i in range(int(3 / step_s))]
    looks = [[person(x)] for x in positions if 0.0 <= x <= 0.9]
    _, numbers = follow(looks, step_s)
    assert all(n == {1} for n in numbers)


def test_tracker_two_walkers_crossing_keep_their_numbers_apart() -> None:
    looks = [[person(0.1 + 0.02 * i, y=0.1), person(0.8 - 0.02 * i, y=0.5)] for i in range(30)]
    following, numbers = follow(looks)
    assert all(len(n) == 2 for n in numbers)
    assert [round(t.box[0], 2) for t in sorted(following.tracks, key=lambda t: t.number)] == [0.68, 0.22]


def test_tracker_short_gap_keeps_the_number() -> None:
    walk = [[person(0.1 + 0.01 * i)] for i in range(40)]
    walk[15:22] = [[] for _ in range(7)]
    following = tracker()
    for index, look in enumerate(walk):
        for track in following.update(look, index * 0.2).alive:
            track.announced = True
    assert [t.number for t in following.tracks] == [1]


def test_tracker_weak_scores_carry_a_track_but_start_none() -> None:
    following, numbers = follow(
        [[person(0.3, 0.9)], [person(0.31, 0.2)], [person(0.32, 0.2), person(0.7, 0.2)]]
    )
    assert numbers == [{1}, {1}, {1}]
    assert len(following.tracks) == 1


def test_tracker_labels_never_mix() -> None:
    _, numbers = follow([[person(0.3)], [person(0.3, label="car")]])
    assert numbers == [{1}, {2}]


def test_tracker_twin_boxes_of_one_thing_make_one_track() -> None:
    following, _ = follow([[person(0.3), person(0.31, 0.8)]])
    assert len(following.tracks) == 1


def test_tracker_part_of_a_followed_thing_is_no_other_thing() -> None:
    whole = person(0.3)
    x1, y1, x2, _ = whole.box
    head = Detection(label="person", score=0.8, box=(x1 + 0.01, y1, x2 - 0.01, y1 + 0.1))
    following, _ = follow([[whole, head]] * 3)
    assert len(following.tracks) == 1


def test_tracker_unsure_box_starts_a_track_only_where_nothing_is_followed() -> None:
    following, _ = follow(
        [[person(0.3)], [person(0.3), person(0.42, 0.45)], [person(0.3), person(0.8, 0.45)]]
    )
    assert sorted(round(t.box[0], 1) for t in following.tracks) == [0.3, 0.8]


def test_tracker_thing_that_walked_into_a_false_alarm_is_given_up() -> None:
    following = tracker()
    for i in range(80):
        look = [person(0.1 + 0.02 * i)] if i < 15 else [person(0.38, 0.35)]
        for track in following.update(look, i * 0.2).alive:
            track.announced = True
    assert not following.tracks


def test_tracker_blip_is_forgotten_after_three_looks() -> None:
    following = tracker()
    following.update([person(0.3)], 0.0)
    gone = [following.update([], i * 0.2).gone for i in range(1, 5)]
    assert [len(g) for g in gone] == [0, 0, 1, 0]


@pytest.mark.parametrize(("still", "limit_s"), [(False, 3.0), (True, 8.0)])
def test_tracker_announced_thing_gone_is_given_up_after_its_patience(still: bool, limit_s: float) -> None:
    following = tracker()
    for i in range(50):
        place = 0.3 if still else 0.1 + 0.012 * i
        for track in following.update([person(place)], i * 0.2).alive:
            track.announced = True
    (track,) = following.tracks
    assert track.stationary is still
    last_s = 49 * 0.2
    assert following.update([], last_s + limit_s - 0.1).alive
    following.update([], last_s + limit_s)
    assert following.update([], last_s + limit_s + 0.1).gone


@pytest.mark.parametrize(("step_s", "joined"), [(0.1, False), (0.2, False), (0.5, True), (1.0, True)])
def test_tracker_sure_box_beside_joins_only_as_far_as_its_time_reaches(step_s: float, joined: bool) -> None:
    following = tracker()
    for i in range(5):
        following.update([person(0.3)], i * step_s)
    step = following.update([person(0.5)], 5 * step_s)
    assert {t.number for t in step.alive if t.misses == 0} == ({1} if joined else {2})


def test_tracker_weak_box_joins_only_where_it_overlaps_well() -> None:
    following, numbers = follow([[person(0.3)], [person(0.3)], [person(0.36, 0.45)], [person(0.33, 0.45)]])
    assert numbers == [{1}, {1}, set(), {1}]
    assert len(following.tracks) == 1


def test_tracker_who_comes_after_one_walked_out_is_another() -> None:
    following, told = tracker(), set[int]()
    for i in range(60):
        left = 0.5 + 0.02 * i if i < 25 else 1.29 - 0.01 * i
        x1, x2 = min(left, 1.0), min(left + 0.1, 1.0)
        look = [Detection(label="person", score=0.9, box=(x1, 0.4, x2, 0.7))] if x2 - x1 > 0.02 else []
        for track in following.update(look, i * 0.2).alive:
            track.announced = True
            told.add(track.number)
    assert told == {1, 2}


def test_tracker_thing_where_nobody_looked_is_neither_missed_nor_given_up() -> None:
    following = tracker()
    for index in range(10):
        for track in following.update([person(0.1), person(0.7)], index * 0.2).alive:
            track.announced = True
    left = ((0.0, 0.0, 0.5, 1.0),)
    for index in range(10, 110):
        step = following.update([person(0.1)], index * 0.2, parts=left)
        assert not step.gone
    assert [(track.misses, track.sights) for track in step.alive] == [(0, 110), (0, 10)]
    gone = [one for index in range(110, 113) for one in following.update([person(0.1)], index * 0.2).gone]
    assert [track.box[0] for track in gone] == [0.7]


def test_tracker_thing_that_is_looked_for_in_a_part_is_missed() -> None:
    following = tracker()
    following.update([person(0.1), person(0.7)], 0.0)
    step = following.update([], 0.2, parts=((0.6, 0.3, 0.9, 0.8), (0.0, 0.0, 0.05, 0.05)))
    assert [track.misses for track in step.alive] == [0, 1]


def test_track_path_length_grows_with_the_way_and_not_with_jitter() -> None:
    walked, _ = follow([[person(0.1 + 0.02 * i)] for i in range(30)])
    jittered, _ = follow([[person(0.3 + 0.004 * (i % 2))] for i in range(30)])
    assert walked.tracks[0].motion.path_norm == pytest.approx(0.58, abs=0.1)
    assert jittered.tracks[0].motion.path_norm == 0.0


def test_track_box_at_gives_the_place_of_that_moment() -> None:
    following, _ = follow([[person(0.1 + 0.02 * i)] for i in range(10)])
    assert following.tracks[0].box_at(0.4)[0] == pytest.approx(0.14)


def test_track_settings_defaults_are_consistent() -> None:
    settings_ = TrackSettings()
    assert settings_.max_lost_s < settings_.stationary_lost_s < settings_.cloud_hold_s
