"""What the cure keeps over restarts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.cure_store import CureStore
from edge_agent.pipeline.alike import Sight
from edge_agent.pipeline.cure import CureMemory
from edge_agent.wire.correction import Feedback
from edge_agent.wire.detection import Detection
from tests.edge_agent.pipeline.scenes import LOCAL
from tests.fakes.clock import FakeClock

RNG = np.random.default_rng(4)
LOOK = RNG.normal(size=64).astype(np.float32)
LOOK /= np.linalg.norm(LOOK)
SIGHT = Sight(Detection(label="person", score=0.9, box=(0.1, 0.2, 0.3, 0.4)), {"map-2x2:a": LOOK})
WRONG = Feedback(verdict="wrong", event_id="event-1")
RIGHT = Feedback(verdict="right", event_id="event-1")


def store_in(folder: Path, clock: FakeClock) -> tuple[CureStore, CureMemory]:
    memory = CureMemory()
    return CureStore(folder, memory, clock), memory


def test_store_keeps_a_correction_at_once_and_over_a_kill(tmp_path: Path) -> None:
    clock = FakeClock()
    store, memory = store_in(tmp_path, clock)
    memory.note("front", "event-1", LOCAL, SIGHT, 0.0)
    assert store.hear(WRONG) == "front"
    _, again = store_in(tmp_path, clock)
    assert again.hidden_by("front", LOCAL, SIGHT) == "event-1"


def test_store_right_takes_back_for_good(tmp_path: Path) -> None:
    clock = FakeClock()
    store, memory = store_in(tmp_path, clock)
    memory.note("front", "event-1", LOCAL, SIGHT, 0.0)
    store.hear(WRONG)
    assert store.hear(RIGHT) is None
    _, again = store_in(tmp_path, clock)
    assert again.hidden_by("front", LOCAL, SIGHT) is None


def test_store_forgets_by_command_for_good(tmp_path: Path) -> None:
    clock = FakeClock()
    store, memory = store_in(tmp_path, clock)
    memory.note("front", "event-1", LOCAL, SIGHT, 0.0)
    store.hear(WRONG)
    store.forget()
    _, again = store_in(tmp_path, clock)
    for one in (memory, again):
        assert one.hidden_by("front", LOCAL, SIGHT) is None


@pytest.mark.parametrize("ends_well", [True, False], ids=["clean stop", "four hours, then a kill"])
def test_store_event_of_before_a_restart_can_still_be_called_wrong(tmp_path: Path, ends_well: bool) -> None:
    clock = FakeClock()
    store, memory = store_in(tmp_path, clock)
    memory.note("front", "event-1", LOCAL, SIGHT, 0.0)
    store.tick()
    assert not (tmp_path / "sights.json").exists(), "flash memory is spared"
    if ends_well:
        store.close()
    else:
        clock.advance(14_401.0)
        store.tick()
    later, again = store_in(tmp_path, clock)
    assert later.hear(WRONG) == "front"
    assert again.hidden_by("front", LOCAL, SIGHT) == "event-1"


@pytest.mark.parametrize(
    "feedback",
    [
        Feedback(verdict="wrong", event_id="event-of-yesteryear"),
        Feedback(verdict="missed", camera="front", time=1.0),
        Feedback(verdict="other_class", event_id="event-1", label="dog"),
    ],
    ids=["unknown event", "missed", "other class"],
)
def test_store_other_words_hide_nothing(tmp_path: Path, feedback: Feedback) -> None:
    store, memory = store_in(tmp_path, FakeClock())
    memory.note("front", "event-1", LOCAL, SIGHT, 0.0)
    assert store.hear(feedback) is None
    assert memory.false_alarms("front") == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"schema": 1, "events": [{"camera": "../x"}]}',
        (
            b'{"schema": 1, "events": [{"camera": "front", "event_id": "e", "label": "p", '
            b'"detector_id": "d", "detector_version": 1, '
            b'"sights": [{"box": [0, 0, 1, 1], "looks": {"a": "!"}}]}]}'
        ),
    ],
    ids=["empty", "list", "bad name", "bad look"],
)
def test_store_damaged_files_are_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    for name in ("false-alarms.json", "sights.json"):
        (tmp_path / name).write_bytes(content)
    _, memory = store_in(tmp_path, FakeClock())
    assert memory.kept() == ([], [])


def test_store_on_a_full_disk_cures_until_the_restart(tmp_path: Path) -> None:
    (tmp_path / "false-alarms.json").mkdir()
    store, memory = store_in(tmp_path, FakeClock())
    memory.note("front", "event-1", LOCAL, SIGHT, 0.0)
    assert store.hear(WRONG) == "front"
    assert memory.hidden_by("front", LOCAL, SIGHT) == "event-1"
