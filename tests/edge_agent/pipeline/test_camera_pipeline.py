"""One camera's pipeline, from pictures to events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import BackendError
from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.decide import OffloadPermit, OffloadSettings
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.result import Conditions, OffloadWanted, PipelineResult, PipelineSettings
from edge_agent.pipeline.zones import Zone
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection, FrameSize
from edge_agent.wire.event import Event
from tests.edge_agent.pipeline.scenes import (
    CLOUD,
    LOCAL,
    START_S,
    ScriptedDetector,
    always_looking,
    frame,
    person,
    pipeline,
    reply,
)

ASK = Conditions(permit=OffloadPermit(allowed=True))
SIZE = FrameSize(width_px=64, height_px=48)


def run(
    camera: CameraPipeline,
    detector: ScriptedDetector,
    looks: Iterable[Sequence[Detection]],
    *,
    start_s: float = 0.0,
    step_s: float = 0.2,
    conditions: Conditions | None = None,
) -> list[PipelineResult]:
    results = []
    for index, look in enumerate(looks):
        detector.sees = look
        results.append(camera.process(frame(start_s + index * step_s), conditions))
    return results


def events_of(results: Iterable[PipelineResult]) -> list[Event]:
    return [event for result in results for event in result.events]


def kinds(events: Iterable[Event]) -> list[str]:
    return [event.event_type for event in events]


def assert_lawful(events: Sequence[Event]) -> None:
    """Every id: new, update*, then perhaps end; nothing after it."""
    lives: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        lives[event.id].append(event)
    for life in lives.values():
        assert life[0].event_type == "new"
        assert all(e.event_type == "update" for e in life[1:-1])
        assert len(life) == 1 or life[-1].event_type in {"update", "end"}
        assert len({(e.label, e.start_time, e.camera, e.device) for e in life}) == 1
        assert all(a.top_score <= b.top_score for a, b in pairwise(life))
        assert all((e.end_time is not None) == (e.event_type == "end") for e in life)


def test_pipeline_walker_gives_new_then_end_with_provenance() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    walk = [[person(0.1 + 0.02 * i)] for i in range(20)]
    events = events_of(run(camera, detector, [*walk, *[[] for _ in range(20)]]))
    assert kinds(events)[0] == "new"
    assert kinds(events)[-1] == "end"
    new, end = events[0], events[-1]
    assert (new.device, new.camera, new.label) == ("agent1", "front", "person")
    assert new.detector == LOCAL
    assert (new.answered_by, new.offload_reason) == ("local", None)
    assert new.start_time == pytest.approx(START_S)
    assert new.frame_time == pytest.approx(START_S + 0.2)
    assert new.clock.boot_id == "boot1"
    assert new.frame_size == SIZE
    assert end.end_time == pytest.approx(START_S + 19 * 0.2)
    assert end.track.frames == 20
    assert end.track.path_length_norm == pytest.approx(0.38, abs=0.1)


def test_pipeline_blip_gives_no_event() -> None:
    detector = ScriptedDetector()
    looks: list[list[Detection]] = [[] for _ in range(20)]
    looks[5] = [person(0.3, 0.99)]
    assert not events_of(run(pipeline(detector), detector, looks))


def test_pipeline_flicker_in_a_quick_stream_gives_no_event() -> None:
    detector = ScriptedDetector()
    looks: list[list[Detection]] = [[] for _ in range(60)]
    looks[5:10] = [[person(0.3, 0.99)]] * 5
    assert not events_of(run(pipeline(detector), detector, looks, step_s=0.05))


def test_pipeline_ids_sort_by_time() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    ids = []
    for index in range(5):
        x = 0.05 + 0.2 * index
        results = run(camera, detector, [[person(x)]] * 3 + [[]] * 20, start_s=index * 10.0)
        ids += [e.id for e in events_of(results) if e.event_type == "new"]
    assert len(set(ids)) == 5
    assert ids == sorted(ids)


def test_pipeline_updates_are_rare_without_news() -> None:
    detector = ScriptedDetector()
    events = events_of(run(pipeline(detector), detector, [[person(0.3)]] * 100))
    # once confirmed, once because it stands still
    assert kinds(events) == ["new", "update"]
    assert events[1].track.stationary


def test_pipeline_better_score_is_an_update_at_most_every_second() -> None:
    detector = ScriptedDetector()
    looks = [[person(0.3 + 0.005 * i, 0.55 + 0.004 * i)] for i in range(100)]
    updates = [
        e for e in events_of(run(pipeline(detector), detector, looks, step_s=0.1)) if e.event_type == "update"
    ]
    assert 3 <= len(updates) <= 10
    gaps = [b.clock.monotonic_s - a.clock.monotonic_s for a, b in pairwise(updates)]
    assert min(gaps) >= 1.0


def test_pipeline_zone_entered_is_an_update() -> None:
    detector = ScriptedDetector()
    door = Zone("door", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))
    camera = pipeline(detector, zones=[door])
    events = events_of(run(camera, detector, [[person(0.2 + 0.02 * i)] for i in range(30)]))
    assert events[0].zones.entered == ()
    inside = next(e for e in events if e.zones.current)
    assert inside.event_type == "update"
    assert inside.zones.entered == ("door",)


THINGS = st.lists(st.builds(person, x=st.floats(0.0, 0.9), score=st.floats(0.05, 1.0)), max_size=4)
LOOKS = st.tuples(THINGS, st.booleans(), st.booleans(), st.none() | THINGS)


@settings(max_examples=40, deadline=None)
@given(st.lists(LOOKS, min_size=1, max_size=25))
def test_pipeline_any_input_gives_lawful_events(
    looks: list[tuple[list[Detection], bool, bool, list[Detection] | None]],
) -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    events: list[Event] = []
    asked: list[OffloadWanted] = []
    for index, (seen, hot, explicit, answered) in enumerate(looks):
        detector.sees = seen
        result = camera.process(frame(index * 0.7), replace(ASK, hot=hot, explicit=explicit))
        events += result.events
        assert result.counts["person"] == len(result.in_view)
        if result.offload_wanted:
            asked.append(result.offload_wanted)
        if asked and answered is not None:
            late = answer(camera, asked.pop(), *answered, at_s=index * 0.7)
            events += late.events
            assert late.counts["person"] == len(late.in_view)
    events += camera.end_all(time_s=START_S + 99, monotonic_s=199.0, size=SIZE).events
    assert_lawful(events)
    ended = {e.id for e in events if e.event_type == "end"}
    assert ended == {e.id for e in events}


def test_pipeline_stationary_thing_counts_while_the_gate_sleeps() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector, PipelineSettings(gate=GateSettings(forced_every_s=10.0)))
    results = run(camera, detector, [[person(0.3)]] * 300)
    assert all(r.counts == {"person": 1} for r in results[2:])
    assert detector.calls < 20
    assert not results[-1].inferred
    assert [e.event_type for e in events_of(results)].count("end") == 0


def test_pipeline_thing_vanished_behind_a_sleeping_gate_ends_after_a_forced_look() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector, PipelineSettings(gate=GateSettings(forced_every_s=10.0)))
    results = run(camera, detector, [[person(0.3)]] * 100 + [[]] * 150)
    assert kinds(events_of(results))[-1] == "end"
    assert results[-1].counts == {"person": 0}


def test_pipeline_detector_failure_is_raised_not_nothing_seen() -> None:
    class Broken:
        def detect(self, rgb: Rgb, *, min_score: float | None = None) -> list[Detection]:
            message = f"cannot run on {rgb.shape}, {min_score}"
            raise BackendError(message)

    camera = pipeline(ScriptedDetector())
    camera.use_detector(Broken(), camera.labels)
    with pytest.raises(BackendError):
        camera.process(frame(0.0))


def test_pipeline_labels_not_watched_for_are_ignored() -> None:
    detector = ScriptedDetector()
    results = run(pipeline(detector), detector, [[person(0.3, label="car")]] * 5)
    assert not events_of(results)
    assert results[-1].counts == {"person": 0}


def test_pipeline_snapshots_go_with_new_and_better_events_unless_switched_off() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    results = run(camera, detector, [[person(0.3)]] * 3)
    (shot,) = [s for r in results for s in r.snapshots]
    assert shot.event_id == events_of(results)[0].id
    assert shot.rgb.shape == (48, 64, 3)
    camera.set_snapshots(available=False, blurred=True)
    results = run(camera, detector, [[person(0.7)]] * 3, start_s=1.0)
    assert not [s for r in results for s in r.snapshots]
    assert not events_of(results)[0].snapshot.available


def test_pipeline_score_is_the_middle_one_and_never_under_the_threshold_when_new() -> None:
    detector = ScriptedDetector()
    looks = [[person(0.3, score)] for score in (0.9, 0.8, 0.3)]
    (new,) = events_of(run(pipeline(detector), detector, looks))
    assert new.score == pytest.approx(0.8)
    assert new.top_score == pytest.approx(0.9)


def test_pipeline_threshold_set_by_the_owner_holds_until_taken_back() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    camera.set_threshold(0.8)
    assert not events_of(run(camera, detector, [[person(0.3, 0.7)]] * 5))
    camera.set_threshold(None)
    assert kinds(events_of(run(camera, detector, [[person(0.3, 0.7)]], start_s=1.0))) == ["new"]


# -- the cloud


AT_ONCE, LATE = 5, 10
"""Pictures after which an answer comes: right after the question, and after nobody waits for it."""


def ask_about_unsure(
    score: float = 0.47, looks: int = AT_ONCE
) -> tuple[CameraPipeline, ScriptedDetector, OffloadWanted, list[Event]]:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    results = run(camera, detector, [[person(0.3, score)]] * looks, conditions=ASK)
    (wanted,) = [r.offload_wanted for r in results if r.offload_wanted]
    return camera, detector, wanted, events_of(results)


def answer(
    camera: CameraPipeline, wanted: OffloadWanted, *seen: Detection, at_s: float = 1.0
) -> PipelineResult:
    shown = [one.model_copy(update={"box": _within(one.box, wanted.crop)}) for one in seen]
    return camera.apply_offload(wanted, reply(*shown), time_s=START_S + at_s, monotonic_s=100.0 + at_s)


def _within(box: XyxyNorm, part: XyxyNorm) -> XyxyNorm:
    """Return a box of the whole picture as one of a part."""
    x1, y1, x2, y2 = (
        min(1.0, max(0.0, (side - part[axis]) / (part[axis + 2] - part[axis])))
        for axis, side in zip((0, 1, 0, 1), box, strict=True)
    )
    return x1, y1, x2, y2


def test_offload_unsure_below_the_threshold_confirmed_opens_the_event_as_the_clouds() -> None:
    camera, detector, wanted, before = ask_about_unsure(0.47)
    assert not before
    assert wanted.reason == "unsure"
    result = answer(camera, wanted, person(0.3, 0.93))
    (new,) = result.events
    assert (new.event_type, new.answered_by, new.offload_reason) == ("new", "cloud", "unsure")
    assert new.detector == CLOUD
    assert new.score == pytest.approx(0.93)
    assert result.counts == {"person": 1}
    assert result.snapshots[0].rgb is wanted.frame.rgb
    assert run(camera, detector, [[person(0.3, 0.45)]], start_s=1.2)[0].counts == {"person": 1}


def test_offload_unsure_below_the_threshold_denied_never_opens() -> None:
    camera, detector, wanted, _ = ask_about_unsure(0.47)
    assert not answer(camera, wanted).events
    assert not events_of(run(camera, detector, [[person(0.3, 0.58)]] * 20, start_s=1.2))


def test_offload_unsure_above_the_threshold_denied_is_never_told_of() -> None:
    camera, detector, wanted, before = ask_about_unsure(0.53)
    assert not before
    assert not answer(camera, wanted).events
    assert not events_of(run(camera, detector, [[person(0.3, 0.53)]] * 20, start_s=1.2, conditions=ASK))


def test_offload_unsure_above_the_threshold_confirmed_is_told_of_at_once() -> None:
    camera, _, wanted, before = ask_about_unsure(0.53)
    assert not before
    (new,) = answer(camera, wanted, person(0.3, 0.97)).events
    assert (new.event_type, new.answered_by, new.offload_reason) == ("new", "cloud", "unsure")


@pytest.mark.parametrize(
    ("permit", "told_at"),
    [
        (OffloadPermit(allowed=True), 9),
        # on its way to somebody else's question, who may be answered in time
        (OffloadPermit(allowed=True, in_flight=True), 9),
        (OffloadPermit(), 2),
        (OffloadPermit(allowed=True, quota_left=False), 2),
        (OffloadPermit(allowed=True, breaker_open=True), 2),
    ],
    ids=["may ask", "asks already", "may not ask", "no bytes left", "cloud away"],
)
def test_offload_unsure_above_the_threshold_waits_only_for_an_answer_that_may_come(
    permit: OffloadPermit, told_at: int
) -> None:
    detector = ScriptedDetector()
    looks = [[person(0.3, 0.53)]] * 12
    results = run(pipeline(detector), detector, looks, conditions=Conditions(permit=permit))
    assert [place for place, one in enumerate(results) if kinds(one.events) == ["new"]] == [told_at]


def test_offload_sure_thing_waits_for_nobody() -> None:
    detector = ScriptedDetector()
    results = run(pipeline(detector), detector, [[person(0.3, 0.8)]] * 4, conditions=ASK)
    assert [place for place, one in enumerate(results) if kinds(one.events) == ["new"]] == [2]


def test_offload_unsure_above_the_threshold_denied_late_ends_the_same_event() -> None:
    camera, _, wanted, before = ask_about_unsure(0.53, LATE)
    assert kinds(before) == ["new"]
    result = answer(camera, wanted, at_s=2.0)
    (end,) = result.events
    assert (end.event_type, end.id, end.answered_by) == ("end", before[0].id, "cloud")
    assert result.counts == {"person": 0}


def test_offload_unsure_above_the_threshold_confirmed_late_updates_the_same_event() -> None:
    camera, _, wanted, before = ask_about_unsure(0.53, LATE)
    (update,) = answer(camera, wanted, person(0.3, 0.97), at_s=2.0).events
    assert (update.event_type, update.id) == ("update", before[0].id)
    assert (update.answered_by, update.offload_reason) == ("cloud", "unsure")
    assert update.top_score == pytest.approx(0.97)


def test_offload_denied_thing_that_becomes_sure_is_reported_after_all() -> None:
    camera, detector, wanted, _ = ask_about_unsure(0.47)
    answer(camera, wanted)
    events = events_of(run(camera, detector, [[person(0.3, 0.95)]] * 12, start_s=1.2))
    assert kinds(events)[0] == "new"
    assert events[0].answered_by == "local"


def test_offload_thing_that_the_camera_missed_is_opened_and_held() -> None:
    camera, detector, wanted, _ = ask_about_unsure(0.47)
    result = answer(camera, wanted, person(0.3, 0.9), person(0.48, 0.9))
    assert kinds(result.events) == ["new", "new"]
    later = run(camera, detector, [[person(0.3, 0.45)]] * 30, start_s=1.2)
    assert later[-1].counts == {"person": 2}


@pytest.mark.parametrize("beside", [person(0.36, 0.9), person(0.48, 0.65)], ids=["near", "not sure"])
def test_offload_thing_that_nobody_asked_about_is_told_only_when_it_is_surely_another(
    beside: Detection,
) -> None:
    camera, _, wanted, _ = ask_about_unsure(0.47)
    assert kinds(answer(camera, wanted, person(0.3, 0.9), beside).events) == ["new"]


def test_offload_shows_a_part_around_what_is_in_doubt_and_asks_about_what_is_in_it() -> None:
    detector = ScriptedDetector()
    looks = [[person(0.1, 0.53), person(0.25, 0.53), person(0.85, 0.47)]] * 8
    settings = replace(always_looking(), offload=OffloadSettings(share=1.0))
    wanted = [r.offload_wanted for r in run(pipeline(detector, settings), detector, looks, conditions=ASK)]
    asked = [one for one in wanted if one]
    assert [len(one.track_numbers) for one in asked] == [2, 1]
    assert [one.crop[0] for one in asked] == pytest.approx([0.0, 0.5])
    assert [one.crop[2] for one in asked] == pytest.approx([0.5, 1.0])


def test_offload_answer_about_what_the_edge_of_the_part_cuts_off_says_nothing() -> None:
    camera, _, wanted, _ = ask_about_unsure(0.47)
    cut = Detection(label="person", score=0.99, box=(0.9, 0.2, 1.0, 0.6))
    assert wanted.crop[2] < 1.0
    told = camera.apply_offload(wanted, reply(cut), time_s=START_S + 1.0, monotonic_s=101.0)
    assert told.events == ()


def looks_with_question(results: list[PipelineResult]) -> int:
    return len([r for r in results if r.offload_wanted])


def test_offload_unsure_object_without_an_answer_is_asked_about_once_in_the_cooldown() -> None:
    camera, detector, _, _ = ask_about_unsure(0.47)
    looks = [[person(0.3, 0.47)]] * 1400
    assert looks_with_question(run(camera, detector, looks, start_s=1.0, conditions=ASK)) == 0
    assert looks_with_question(run(camera, detector, looks, start_s=281.0, conditions=ASK)) == 1


@pytest.mark.parametrize("seen", [[], [person(0.3, 0.9)]], ids=["denied", "confirmed"])
def test_offload_answered_object_is_never_asked_about_again(seen: list[Detection]) -> None:
    camera, detector, wanted, _ = ask_about_unsure(0.47)
    answer(camera, wanted, *seen)
    looks = [[person(0.3, 0.47)]] * 20
    assert looks_with_question(run(camera, detector, looks, start_s=1.2, conditions=ASK)) == 0
    assert looks_with_question(run(camera, detector, looks, start_s=500.0, conditions=ASK)) <= 1


def test_offload_after_a_quiet_time_asks_about_what_is_faint_and_only_once_about_a_place() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    run(camera, detector, [[]] * 600, conditions=ASK)
    faint = [[person(0.3, 0.4)]] * 6
    looked = run(camera, detector, faint, start_s=120.0, conditions=ASK)
    (wanted,) = [r.offload_wanted for r in looked if r.offload_wanted]
    assert not answer(camera, wanted, at_s=121.2).events
    run(camera, detector, [[]] * 5, start_s=121.2, conditions=ASK)
    assert looks_with_question(run(camera, detector, faint, start_s=123.0, conditions=ASK)) == 0
    assert looks_with_question(run(camera, detector, faint, start_s=500.0, conditions=ASK)) == 1


def test_offload_object_that_was_clearly_seen_is_not_asked_about_when_it_dips() -> None:
    detector = ScriptedDetector()
    looks = [[person(0.3, 0.9)]] * 6 + [[person(0.3, 0.48)]] * 20
    assert looks_with_question(run(pipeline(detector), detector, looks, conditions=ASK)) == 0


def test_offload_object_that_only_passes_the_band_is_not_asked_about() -> None:
    detector = ScriptedDetector()
    looks = [[person(0.3, score)] for score in (0.42, 0.5, 0.62, 0.7, 0.8, 0.8, 0.8)]
    assert looks_with_question(run(pipeline(detector), detector, looks, conditions=ASK)) == 0


def test_offload_answer_leaves_alone_what_the_camera_told_by_itself() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    looks = [[person(0.3, 0.47), person(0.7, 0.9)]] * 5
    results = run(camera, detector, looks, conditions=ASK)
    (wanted,) = [r.offload_wanted for r in results if r.offload_wanted]
    (told,) = answer(camera, wanted, person(0.3, 0.9), person(0.7, 0.95)).events
    assert (told.event_type, told.answered_by) == ("new", "cloud")
    sure = run(camera, detector, [[person(0.3, 0.47), person(0.7, 0.9)]], start_s=1.2)[0].in_view
    assert {round(thing.box[0], 1): thing.answered_by for thing in sure} == {0.3: "cloud", 0.7: "local"}


def test_offload_without_permission_never_asks() -> None:
    detector = ScriptedDetector()
    results = run(pipeline(detector), detector, [[person(0.3, 0.45)]] * 5)
    assert not [r for r in results if r.offload_wanted]


def test_offload_without_local_detector_the_cloud_alone_gives_events() -> None:
    camera = pipeline(None)
    events: list[Event] = []
    asked = 0
    for index in range(50):
        seen = [person(0.1 + 0.01 * index)] if index < 25 else []
        result = camera.process(frame(index * 0.2), ASK)
        events += result.events
        if result.offload_wanted:
            asked += 1
            assert result.offload_wanted.reason == "no_local_model"
            events += answer(camera, result.offload_wanted, *seen, at_s=index * 0.2 + 0.1).events
    assert asked == 10
    assert_lawful(events)
    assert len({e.id for e in events}) == 1
    assert kinds(events)[-1] == "end"
    assert {(e.answered_by, e.offload_reason) for e in events} == {("cloud", "no_local_model")}


def test_offload_without_local_detector_or_permission_gives_nothing_and_says_so() -> None:
    result = pipeline(None).process(frame(0.0))
    assert (result.inferred, result.offload_wanted, result.events) == (False, None, ())


@pytest.mark.parametrize(
    ("conditions", "runs"),
    [
        (replace(ASK, hot=True), False),
        (replace(ASK, behind=True), False),
        (Conditions(hot=True), True),
        (Conditions(hot=True, permit=OffloadPermit(allowed=True, breaker_open=True)), True),
        (Conditions(hot=True, permit=OffloadPermit(allowed=True, in_flight=True)), False),
    ],
)
def test_offload_hot_or_behind_rests_the_detector_only_if_the_cloud_can_answer(
    conditions: Conditions, runs: bool
) -> None:
    detector = ScriptedDetector()
    pipeline(detector).process(frame(0.0), conditions)
    assert (detector.calls == 1) is runs


def test_offload_answer_older_than_the_last_look_is_dropped() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    (hot,) = run(camera, detector, [[]], conditions=replace(ASK, hot=True))
    run(camera, detector, [[]], start_s=1.0)
    assert hot.offload_wanted is not None
    assert not answer(camera, hot.offload_wanted, person(0.3)).events


def test_offload_answer_about_a_part_is_laid_over_the_whole_picture() -> None:
    camera, _, wanted, _ = ask_about_unsure(0.47)
    box = person(0.3).box
    (new,) = answer(camera, replace(wanted, crop=(0.2, 0.3, 0.5, 0.8)), person(0.3)).events
    assert new.event_type == "new"
    assert np.allclose(new.box, box, atol=0.02)
