"""The benchmark of the agent: its own arithmetic, without running an agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.agent import _added_ms, _pace
from bench.agenting.child import WARM_PICTURES
from bench.agenting.day import Day
from edge_agent.report.spool import SpoolItem
from edge_agent.wire.event import Event
from tests.edge_agent.wire.examples import EXAMPLES


def event(kind: str, frame_time: float) -> Event:
    example = EXAMPLES["event"]
    assert isinstance(example, Event)
    return example.model_copy(update={"event_type": kind, "frame_time": frame_time})


def test_added_ms_leaves_out_the_detector_and_ends() -> None:
    looks = [[1.0, 100.0, 0.030, 0.0], [2.0, 101.0, 0.050, 0.0]]
    heard = [(100.035, event("new", 1.0)), (101.060, event("update", 2.0)), (101.9, event("end", 2.0))]
    assert _added_ms(looks, heard) == [pytest.approx(5.0), pytest.approx(10.0)]


def test_pace_counts_only_pictures_that_were_looked_at_once_it_is_warm(tmp_path: Path) -> None:
    looks = [
        [0.0, 0.1 * index, 0.02, 0.05 * index, 0.09 * index, 0.04 * index]
        for index in range(WARM_PICTURES + 11)
    ]
    looks[WARM_PICTURES + 3][2] = 0.0
    (tmp_path / "out.json").write_text(json.dumps({"looks": looks}))
    pace = _pace(tmp_path / "out.json")
    assert pace.fps == pytest.approx(9.0)
    assert pace.cpu_ms == pytest.approx(500.0 / 9)
    assert pace.needed_share == pytest.approx(0.9)
    assert pace.needed_cpu_share == pytest.approx(0.8)


def test_day_takes_every_event_and_leaves_nothing_waiting(tmp_path: Path) -> None:
    stories = [[{"frame_time": 1.0, "event_type": "new"}, {"frame_time": 4.0, "event_type": "end"}]]
    assert Day(tmp_path, None).live_through(stories, b"small", events=20) >= 0
    again = Day(tmp_path, None)._outbox
    assert again.depth() == 0
    assert again.append([SpoolItem("t", "{}")]) == 41
