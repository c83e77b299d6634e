"""The one-tap cure: what is hidden, what is not, and what takes it back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.pipeline.alike import CureSettings, Sight
from edge_agent.pipeline.cure import CameraCure, CureMemory
from edge_agent.vision.arrays import Float32
from edge_agent.vision.describe import CROP_SPACE
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection
from tests.edge_agent.pipeline.scenes import LOCAL

HERE: XyxyNorm = (0.1, 0.2, 0.2, 0.5)
NEAR: XyxyNorm = (0.12, 0.21, 0.22, 0.51)
THERE: XyxyNorm = (0.6, 0.2, 0.7, 0.5)
LARGE: XyxyNorm = (0.5, 0.1, 0.9, 0.9)


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
        pytest.param(sight(0.91, NEAR), True, id="much alike, same place"),
        pytest.param(sight(0.88, NEAR), False, id="something else at the place"),
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


def test_memory_restored_hides_as_before_and_forgets_by_command() -> None:
    memory = CureMemory()
    memory.restore(*corrected().kept())
    assert memory.hidden_by("front", LOCAL, sight()) == "event-1"
    assert memory.false_alarms("front") == 1
    assert memory.forget() == 1
    assert memory.hidden_by("front", LOCAL, sight()) is None


def test_camera_counts_boxes_and_times_that_were_taken_out() -> None:
    cure = CameraCure(corrected(), "front")
    other = sight(0.1, THERE)
    for at_s in (0.0, 0.2, 0.4, 60.0):
        assert cure.take_out([sight(), other], [LOCAL, LOCAL], at_s) == [other.detection]
    assert (cure.suppressed, cure.suppressed_times) == (4, 2)


def test_camera_notes_how_the_thing_of_an_event_looks() -> None:
    memory = CureMemory()
    cure = CameraCure(memory, "front")
    cure.take_out([sight(0.3, THERE), sight()], [LOCAL, LOCAL], 0.0)
    cure.note("event-9", LOCAL, HERE, 0.0)
    assert memory.wrong("event-9") == "front"
    assert cure.take_out([sight(0.3, THERE), sight()], [LOCAL, LOCAL], 1.0) == [sight(0.3, THERE).detection]


def test_false_alarm_stays_as_it_was_judged_while_its_event_goes_on() -> None:
    memory = corrected()
    memory.note("front", "event-1", LOCAL, sight(0.1, THERE), 5.0)
    assert memory.hidden_by("front", LOCAL, sight(0.1, THERE)) is None
    _, false_alarms = memory.kept()
    assert replace(false_alarms[0]).boxes == [HERE]
