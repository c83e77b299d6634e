"""A camera's rules in its pipeline: what is seen, and what is worth an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from edge_agent.pipeline.camera_pipeline import CameraPipeline
from edge_agent.pipeline.decide import OffloadPermit
from edge_agent.pipeline.detector import LabelRule
from edge_agent.pipeline.gate import GateSettings
from edge_agent.pipeline.result import Conditions, PipelineResult, PipelineSettings
from edge_agent.pipeline.scene import scene_of, unknown_labels
from edge_agent.wire.detection import Detection
from edge_agent.wire.event import Event
from edge_agent.wire.rules import CameraRules
from tests.edge_agent.pipeline.scenes import (
    LOCAL,
    START_S,
    ScriptedDetector,
    frame,
    person,
    pipeline,
    reply,
)

LEFT = {"name": "left", "corners": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
GATE = {"name": "gate", "start": [0.5, 0.0], "end": [0.5, 1.0]}
# 15 January 2027, 08:00 UTC, is when the scenes begin.
NOW = {"begin": "08:00", "end": "08:01", "pause": "events"}


def ruled(**rules: Any) -> tuple[CameraPipeline, ScriptedDetector]:  # noqa: ANN401 - a document
    detector = ScriptedDetector()
    camera = pipeline(detector)
    camera.set_rules(CameraRules.model_validate({"time_zone": "UTC"} | rules))
    return camera, detector


def run(
    camera: CameraPipeline,
    detector: ScriptedDetector,
    looks: Iterable[Sequence[Detection]],
    *,
    start_s: float = 0.0,
    step_s: float = 0.2,
) -> list[PipelineResult]:
    results = []
    for index, look in enumerate(looks):
        detector.sees = look
        results.append(camera.process(frame(start_s + index * step_s)))
    return results


def events_of(results: Iterable[PipelineResult]) -> list[Event]:
    return [event for result in results for event in result.events]


def kinds(results: Iterable[PipelineResult]) -> list[str]:
    return [event.event_type for event in events_of(results)]


def still(x: float, seconds: float, score: float = 0.9) -> list[list[Detection]]:
    return [[person(x, score)]] * round(seconds * 5)


def walk(start: float, end: float, looks: int = 30) -> list[list[Detection]]:
    return [[person(start + (end - start) * i / (looks - 1))] for i in range(looks)]


NOBODY: list[list[Detection]] = [[]] * 60

# -- zones


def test_required_zone_nothing_is_told_outside_but_counted() -> None:
    camera, detector = ruled(zones=[LEFT], required_zones=["left"])
    results = run(camera, detector, [*still(0.7, 4.0), *NOBODY])
    assert not events_of(results)
    assert results[10].counts == {"person": 1}
    assert results[10].in_view[0].event_id is None
    assert not any(result.snapshots for result in results)


def test_required_zone_told_as_new_from_within_with_its_real_start() -> None:
    camera, detector = ruled(zones=[LEFT], required_zones=["left"])
    results = run(camera, detector, [*walk(0.8, 0.2), *NOBODY])
    events = events_of(results)
    assert events[0].event_type == "new"
    assert events[0].zones.current == ("left",)
    assert events[0].start_time == pytest.approx(START_S)
    assert events[0].frame_time > START_S + 2.0
    assert events[-1].event_type == "end"
    assert len({event.id for event in events}) == 1


@pytest.mark.parametrize(("own", "told"), [([], True), (["left"], False), (None, False)])
def test_required_zones_of_a_label_come_before_the_cameras(own: list[str] | None, told: bool) -> None:
    limits = {"label": "person", "required_zones": own}
    camera, detector = ruled(zones=[LEFT], required_zones=["left"], labels=[limits])
    assert bool(events_of(run(camera, detector, still(0.7, 2.0)))) is told


def test_zone_of_other_labels_does_not_count() -> None:
    camera, detector = ruled(zones=[LEFT | {"labels": ["car"]}])
    assert events_of(run(camera, detector, still(0.2, 2.0)))[0].zones.current == ()


def test_loitering_is_told_at_once_and_by_name() -> None:
    camera, detector = ruled(zones=[LEFT | {"loiter_s": 4.0}])
    results = run(camera, detector, still(0.2, 10.0))
    first = next(event for event in events_of(results) if event.loitering)
    assert first.event_type == "update"
    assert first.frame_time == pytest.approx(START_S + 4.0)
    assert first.loitering[0].zone == "left"
    assert first.loitering[0].since == pytest.approx(START_S)


def test_loitering_behind_a_sleeping_gate_is_told_when_it_is_due() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector, PipelineSettings(gate=GateSettings()))
    camera.set_rules(CameraRules.model_validate({"look_every_s": 60, "zones": [LEFT | {"loiter_s": 33.0}]}))
    results = run(camera, detector, still(0.2, 40.0))
    first = next(event for event in events_of(results) if event.loitering)
    assert first.frame_time == pytest.approx(START_S + 33.0, abs=0.21)
    assert detector.calls < 30


def test_passing_through_a_zone_is_no_loitering() -> None:
    camera, detector = ruled(zones=[LEFT | {"loiter_s": 4.0}])
    assert not any(event.loitering for event in events_of(run(camera, detector, walk(0.1, 0.8))))


# -- lines


@pytest.mark.parametrize(("start", "end", "towards"), [(0.1, 0.8, "left"), (0.8, 0.1, "right")])
def test_crossing_is_told_with_its_direction_and_stays_on_the_event(
    start: float, end: float, towards: str
) -> None:
    camera, detector = ruled(lines=[GATE])
    events = events_of(run(camera, detector, [*walk(start, end), *NOBODY]))
    assert not events[0].crossings
    first = next(event for event in events if event.crossings)
    assert (first.event_type, first.crossings[0].line) == ("update", "gate")
    assert first.crossings[0].towards == towards
    assert events[-1].event_type == "end"
    assert len(events[-1].crossings) == 1


# -- what counts as seen


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"threshold": 0.8}, False),
        ({"threshold": 0.6}, True),
        ({"min_area": 0.031}, False),
        ({"min_area": 0.029}, True),
        ({"max_area": 0.029}, False),
        ({"max_area": 0.031}, True),
    ],
)
def test_limits_of_a_label_say_what_is_seen(limits: dict[str, float], told: bool) -> None:
    camera, detector = ruled(labels=[{"label": "person"} | limits])
    assert bool(events_of(run(camera, detector, still(0.3, 2.0, score=0.7)))) is told


def test_threshold_of_a_label_comes_before_the_cameras_and_outlives_another_detector() -> None:
    camera, detector = ruled(labels=[{"label": "The Person", "threshold": 0.6}])
    named = {
        "person": LabelRule("person", "The Person", 0.5, LOCAL),
        "dog": LabelRule("dog", "dog", 0.5, LOCAL),
    }
    camera.use_detector(detector, named)
    camera.set_threshold(0.9)
    assert {slug: rule.threshold for slug, rule in camera.labels.items()} == {"person": 0.6, "dog": 0.9}
    camera.set_rules(CameraRules())
    assert {rule.threshold for rule in camera.labels.values()} == {0.9}


def test_unknown_labels_are_found_by_name_and_slug() -> None:
    rules = CameraRules.model_validate(
        {"labels": [{"label": "kids_hand"}, {"label": "cat"}], "zones": [LEFT | {"labels": ["kid's hand"]}]}
    )
    labels = {"kids_hand": LabelRule("kids_hand", "kid's hand", 0.5, LOCAL)}
    assert unknown_labels(rules, labels) == ("cat",)
    assert scene_of(rules, labels).zones[0].labels == {"kids_hand"}


# -- times


def test_pause_of_events_counts_and_tells_when_it_is_over_and_the_thing_moves() -> None:
    camera, detector = ruled(schedules=[NOW])
    quiet = run(camera, detector, still(0.2, 20.0), start_s=20.0)
    assert not events_of(quiet)
    assert quiet[-1].counts == {"person": 1}
    assert not events_of(run(camera, detector, still(0.2, 4.0), start_s=60.0)), "stood there all the time"
    assert kinds(run(camera, detector, walk(0.2, 0.8), start_s=64.0))[0] == "new"


def test_pause_of_events_what_still_moves_is_told_once_it_is_over() -> None:
    camera, detector = ruled(schedules=[NOW])
    results = run(camera, detector, walk(0.1, 0.8), start_s=57.0)
    new = events_of(results)[0]
    assert new.event_type == "new"
    assert new.frame_time == pytest.approx(START_S + 60.0)
    assert new.start_time == pytest.approx(START_S + 57.0)


def test_pause_of_events_only_ends_what_began_before() -> None:
    camera, detector = ruled(schedules=[NOW | {"begin": "08:01", "end": "08:10"}])
    assert kinds(run(camera, detector, walk(0.1, 0.4, 10), start_s=58.0)) == ["new"]
    assert kinds(run(camera, detector, [*walk(0.4, 0.8), *NOBODY], start_s=60.0)) == ["end"]


def test_pause_of_detection_ends_events_and_looks_at_nothing_until_it_is_over() -> None:
    camera, detector = ruled(schedules=[NOW | {"begin": "08:01", "end": "08:02", "pause": "detection"}])
    assert kinds(run(camera, detector, walk(0.1, 0.4, 10), start_s=58.0)) == ["new"]
    looks = detector.calls
    paused = run(camera, detector, walk(0.4, 0.8), start_s=60.0)
    assert kinds(paused) == ["end"]
    assert detector.calls == looks
    assert paused[-1].counts == {"person": 0}
    assert kinds(run(camera, detector, walk(0.1, 0.8), start_s=120.0))[0] == "new"


def test_pause_of_detection_answer_of_the_cloud_that_comes_in_it_tells_nothing() -> None:
    camera = pipeline(None)
    document = {
        "time_zone": "UTC",
        "schedules": [NOW | {"begin": "08:01", "end": "08:02", "pause": "detection"}],
    }
    camera.set_rules(CameraRules.model_validate(document))
    asked = camera.process(frame(59.5), Conditions(permit=OffloadPermit(allowed=True))).offload_wanted
    assert asked is not None
    late = camera.apply_offload(asked, reply(person(0.3)), time_s=START_S + 60.5, monotonic_s=160.5)
    assert (late.events, late.counts) == ((), {"person": 0})
    in_time = camera.apply_offload(asked, reply(person(0.3)), time_s=START_S + 59.9, monotonic_s=159.9)
    assert [event.event_type for event in in_time.events] == ["new"]


# -- what stands still


@pytest.mark.parametrize(("gap_s", "told"), [(20.0, False), (70.0, True)])
def test_still_thing_lost_and_found_at_its_place_is_no_news_for_a_while(gap_s: float, told: bool) -> None:
    camera, detector = ruled(still_again_s=60.0)
    before = run(camera, detector, [*still(0.3, 10.0), *NOBODY])
    assert kinds(before) == ["new", "update", "end"]
    again = run(camera, detector, still(0.3, 4.0), start_s=10.0 + gap_s)
    assert bool(events_of(again)) is told
    assert again[-1].counts == {"person": 1}


def test_still_thing_found_again_is_told_when_it_moves() -> None:
    camera, detector = ruled()
    run(camera, detector, [*still(0.3, 10.0), *NOBODY])
    assert kinds(run(camera, detector, [*still(0.3, 4.0), *walk(0.3, 0.8)], start_s=24.0))[0] == "new"


def test_still_thing_at_another_place_is_news() -> None:
    camera, detector = ruled()
    run(camera, detector, [*still(0.3, 10.0), *NOBODY])
    assert kinds(run(camera, detector, still(0.6, 2.0), start_s=24.0)) == ["new"]


def test_thing_that_is_sure_only_after_it_stood_still_for_long_is_told() -> None:
    camera, detector = ruled()
    looks = [*still(0.3, 8.0, score=0.45), *still(0.3, 4.0, score=0.8)]
    assert kinds(run(camera, detector, looks))[0] == "new"


# -- change while running


def test_rules_changed_while_running_hold_from_the_next_picture_on() -> None:
    camera, detector = ruled()
    (new,) = events_of(run(camera, detector, still(0.2, 2.0)))
    assert new.zones.current == ()
    camera.set_rules(CameraRules.model_validate({"zones": [LEFT]}))
    (update,) = events_of(run(camera, detector, still(0.2, 2.0), start_s=2.0))
    assert (update.id, update.zones.current) == (new.id, ("left",))
    camera.set_rules(CameraRules())
    after = events_of(run(camera, detector, still(0.2, 2.0), start_s=4.0))
    assert after[0].zones.current == ()
    assert after[0].zones.entered == ("left",)
