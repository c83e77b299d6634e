"""The one-tap cure: what is hidden, what is not, and what takes it back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.pipeline.alike import CureSettings, Sight
from edge_agent.pipeline.boxes import from_crop
from edge_agent.pipeline.cure import CameraCure, CuredDetector, CureMemory
from edge_agent.pipeline.events import SeenObject
from edge_agent.pipeline.result import OffloadWanted
from edge_agent.vision.arrays import Float32
from edge_agent.vision.describe import CROP_SPACE
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection, FrameSize
from tests.edge_agent.pipeline.scenes import (
    CLOUD,
    LOCAL,
    PERSON,
    START_S,
    ScriptedDetector,
    frame,
    person,
    pipeline,
    reply,
)
from tests.fakes.clock import FakeClock

HERE: XyxyNorm = (0.1, 0.2, 0.2, 0.5)
NEAR: XyxyNorm = (0.12, 0.21, 0.22, 0.51)
THERE: XyxyNorm = (0.6, 0.2, 0.7, 0.5)
LARGE: XyxyNorm = (0.5, 0.1, 0.9, 0.9)


PICTURE = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)


def look(likeness: float) -> Float32:
    """Return a vector with this likeness to `look(1.0)`."""
    return np.array([likeness, np.sqrt(1.0 - likeness**2), 0.0, 0.0], np.float32)


def sight(
    likeness: float = 1.0, box: XyxyNorm = HERE, label: str = "person", space: str = "map-2x2:a"
) -> Sight:
    return Sight(Detection(label=label, score=0.9, box=box), {space: look(likeness)})


def corrected(settings: CureSettings | None = None) -> CureMemory:
    memory = CureMemory(settings)
    memory.note("front", "event-1", LOCAL, sight(), 0.0)
    assert memory.wrong("event-1") == "front"
    return memory


@pytest.mark.parametrize(
    ("seen", "hidden"),
    [
        pytest.param(sight(), True, id="the same again"),
        pytest.param(sight(0.87, NEAR), True, id="much alike, same place"),
        pytest.param(sight(0.84, NEAR), False, id="something else at the place"),
        pytest.param(sight(0.92, THERE), False, id="much alike, elsewhere"),
        pytest.param(sight(0.95, THERE), True, id="the same, elsewhere"),
        pytest.param(sight(0.95, LARGE), False, id="the same, elsewhere and much larger"),
        pytest.param(sight(label="dog"), False, id="another label"),
        pytest.param(sight(space="map-2x2:b"), False, id="numbers of another network"),
    ],
)
def test_memory_hides_what_looks_the_same_again(seen: Sight, hidden: bool) -> None:
    assert (corrected().hidden_by("front", LOCAL, seen) == "event-1") is hidden


def test_memory_hides_nothing_of_another_camera_or_version() -> None:
    memory = corrected()
    assert memory.hidden_by("back", LOCAL, sight()) is None
    retrained = LOCAL.model_copy(update={"version": LOCAL.version + 1})
    assert memory.hidden_by("front", retrained, sight()) is None
    assert memory.hidden_by("front", LOCAL, sight()) == "event-1", "after a roll-back it holds again"


def test_memory_compares_pictures_where_the_map_is_missing() -> None:
    memory = CureMemory()
    both = Sight(sight().detection, {"map-2x2:a": look(1.0), CROP_SPACE: look(1.0)})
    memory.note("front", "event-1", LOCAL, both, 0.0)
    memory.wrong("event-1")
    assert memory.hidden_by("front", LOCAL, sight(0.8, space=CROP_SPACE)) == "event-1"
    other = Sight(sight().detection, {"map-2x2:a": look(0.5), CROP_SPACE: look(1.0)})
    assert memory.hidden_by("front", LOCAL, other) is None, "where both have the map, the map decides"


def test_memory_right_takes_back_what_hides_the_event() -> None:
    memory = corrected()
    memory.note("front", "event-2", LOCAL, sight(0.99), 0.0)
    memory.note("front", "event-3", LOCAL, sight(0.2), 0.0)
    assert memory.right("event-3") == 0
    assert memory.right("event-2") == 1
    assert memory.hidden_by("front", LOCAL, sight()) is None


def test_memory_of_an_event_that_is_not_known_changes_nothing() -> None:
    memory = corrected()
    before = memory.corrections
    assert memory.wrong("never-seen") is None
    assert memory.right("never-seen") == 0
    assert memory.corrections == before


def test_memory_is_bounded_and_keeps_the_newest() -> None:
    memory = CureMemory(CureSettings(events_kept=3, false_alarms_kept=2, sights_kept=2))
    for number in range(5):
        for second in range(4):
            memory.note("front", f"event-{number}", LOCAL, sight(), float(second))
        memory.wrong(f"event-{number}")
    events, false_alarms = memory.kept()
    assert [one.event_id for one in events] == ["event-2", "event-3", "event-4"]
    assert [one.event_id for one in false_alarms] == ["event-3", "event-4"]
    assert {len(one.boxes) for one in false_alarms} == {2}


def test_memory_with_looks_of_another_length_compares_what_can_be_compared() -> None:
    memory = corrected()
    events, false_alarms = memory.kept()
    shorter = replace(false_alarms[0], event_id="event-0", looks=[{"map-2x2:a": look(1.0)[:2]}])
    memory.restore(events, [shorter, *false_alarms])
    assert memory.hidden_by("front", LOCAL, sight()) == "event-1"


def test_memory_restored_hides_as_before_and_forgets_by_command() -> None:
    memory = CureMemory()
    memory.restore(*corrected().kept())
    assert memory.hidden_by("front", LOCAL, sight()) == "event-1"
    assert memory.false_alarms("front") == 1
    assert memory.forget() == 1
    assert memory.hidden_by("front", LOCAL, sight()) is None


def test_camera_counts_boxes_and_times_that_were_taken_out() -> None:
    clock = FakeClock()
    cure = CameraCure(corrected(), "front", clock)
    other = sight(0.1, THERE)
    for wait_s in (0.2, 0.2, 60.0, 0.2):
        assert cure.take_out([sight(), other], [LOCAL, LOCAL], PICTURE) == [other.detection]
        clock.advance(wait_s)
    assert (cure.suppressed_boxes, cure.suppressed) == (4, 2)


def test_false_alarm_stays_as_it_was_judged_while_its_event_goes_on() -> None:
    memory = corrected()
    memory.note("front", "event-1", LOCAL, sight(0.1, THERE), 5.0)
    assert memory.hidden_by("front", LOCAL, sight(0.1, THERE)) is None
    _, false_alarms = memory.kept()
    assert replace(false_alarms[0]).boxes == [HERE]


def test_pipeline_ends_the_event_that_was_called_wrong_with_a_reason() -> None:
    detector = ScriptedDetector()
    camera = pipeline(detector)
    detector.sees = [person(0.1), person(0.7)]
    events = [event for i in range(5) for event in camera.process(frame(0.2 * i)).events]
    first, second = (event.id for event in events if event.event_type == "new")
    size = FrameSize(width_px=64, height_px=48)
    result = camera.end_event(first, time_s=START_S + 1.0, monotonic_s=101.0, size=size)
    assert [(event.id, event.event_type, event.end_reason) for event in result.events] == [
        (first, "end", "corrected")
    ]
    assert [thing.event_id for thing in result.in_view] == [second]
    assert result.counts == {"person": 1}
    detector.sees = []
    later = [event for i in range(10, 60) for event in camera.process(frame(0.2 * i)).events]
    assert [(event.id, event.event_type, event.end_reason) for event in later] == [(second, "end", None)]
    assert not camera.end_event(first, time_s=START_S, monotonic_s=100.0, size=size).events


def test_cured_detector_makes_no_event_of_what_was_called_wrong() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    memory, detector, clock = CureMemory(), ScriptedDetector(), FakeClock()
    cure = CameraCure(memory, "front", clock)
    camera = pipeline(detector)
    camera.use_detector(CuredDetector(detector, cure, {"person": PERSON}), {"person": PERSON})
    detector.sees = [person(0.2), person(0.2, label="dog")]

    def look(index: int) -> list[str]:
        clock.advance(0.2)
        result = camera.process(frame(0.2 * index, picture))
        cure.note(result.in_view)
        return [event.event_type for event in result.events]

    assert [kind for i in range(5) for kind in look(i)] == ["new"]
    ((event,), _) = memory.kept()
    assert memory.wrong(event.event_id) == "front"
    camera.end_event(event.event_id, time_s=0.0, monotonic_s=101.0, size=FrameSize(width_px=64, height_px=48))
    assert [kind for i in range(5, 30) for kind in look(i)] == []
    assert (cure.remembered, cure.suppressed, cure.suppressed_boxes) == (1, 1, 25)


def test_camera_knows_on_the_picture_what_it_saw_on_the_map() -> None:
    memory = CureMemory()
    cure = CameraCure(memory, "front", FakeClock())
    shown = frame(0.0, PICTURE)
    on_map = Sight(Detection(label="person", score=0.9, box=HERE), {"map-2x2:a": look(1.0)})
    cure.take_out([on_map], [LOCAL], PICTURE)
    cure.note([SeenObject("event-8", "person", 0.9, HERE, (), False, LOCAL, "local")])
    memory.wrong("event-8")
    answer = reply(Detection(label="person", score=0.9, box=HERE))
    assert cure.judge(OffloadWanted("hot", shown), answer).detections == ()


def test_cloud_answer_without_what_was_called_wrong() -> None:
    rng = np.random.default_rng(3)
    shown = frame(0.0, rng.integers(0, 256, (48, 64, 3)).astype(np.uint8))
    memory = CureMemory()
    cure = CameraCure(memory, "front", FakeClock())
    whole = OffloadWanted("no_local_model", shown)
    both = reply(person(0.1), person(0.7))
    assert cure.judge(whole, both) == both
    box = from_crop(person(0.7).box, whole.crop)
    thing = SeenObject("event-7", "person", 0.9, box, (), False, CLOUD, "cloud")
    cure.note([thing])
    memory.wrong("event-7")
    assert cure.judge(whole, both).detections == (person(0.1),)
    # The same place, when only a part of the picture was sent.
    part = OffloadWanted("unsure", shown, crop=(0.5, 0.0, 1.0, 1.0))
    moved = Detection(label="person", score=0.9, box=(0.4, 0.4, 0.6, 0.7))
    assert cure.judge(part, reply(moved)).detections == ()
