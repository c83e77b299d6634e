"""What a look must show."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.pipeline.attention import Attention, boxes_of, worth_showing
from edge_agent.pipeline.cadence import LookSettings
from edge_agent.pipeline.gate import GateDecision, GateReason
from edge_agent.pipeline.track import Tracker
from edge_agent.vision.arrays import Bool
from edge_agent.wire.base import WHOLE, XyxyNorm
from edge_agent.wire.detection import Detection
from tests.edge_agent.pipeline.scenes import person

HEIGHT, WIDTH, STEP_S = 30, 40, 0.2
IN_PARTS = LookSettings(parts=True)


def cells(*boxes: XyxyNorm) -> Bool:
    grid = np.zeros((HEIGHT, WIDTH), np.bool_)
    for x1, y1, x2, y2 in boxes:
        grid[round(y1 * HEIGHT) : round(y2 * HEIGHT), round(x1 * WIDTH) : round(x2 * WIDTH)] = True
    return grid


def following(looks: list[list[Detection]]) -> tuple[Tracker, float]:
    tracker = Tracker(lambda _label: 0.4, lambda _label: 0.5)
    for index, look in enumerate(looks):
        for track in tracker.update(look, index * STEP_S).alive:
            track.announced = track.announced or track.sights >= 3
    return tracker, (len(looks) - 1) * STEP_S


STANDS = [[person(0.6, y=0.5)]] * 40
WALKS = [[person(0.1 + 0.01 * index, y=0.1)] for index in range(40)]


@pytest.mark.parametrize(
    ("looks", "stirred", "shown"),
    [
        (STANDS, cells(), []),
        (STANDS, cells((0.1, 0.1, 0.2, 0.2)), [(0.1, 0.1, 0.2, 0.2)]),
        # something passes who stands there
        (STANDS, cells((0.5, 0.5, 0.6, 0.6)), [(0.5, 0.5, 0.6, 0.6), (0.6, 0.5, 0.7, 0.8)]),
        (WALKS, cells(), [(0.5, 0.1, 0.6, 0.4)]),
        ([*STANDS, *[[]] * 8], cells(), []),
        ([*STANDS, []], cells(), [(0.6, 0.5, 0.7, 0.8)]),
        ([[]] * 5 + [[person(0.6, y=0.5)]], cells(), [(0.6, 0.5, 0.7, 0.8)]),
    ],
    ids=["stands", "change elsewhere", "change beside", "walks", "missing for long", "missing", "new"],
)
def test_look_shows_what_changed_moves_is_new_or_missing(
    looks: list[list[Detection]], stirred: Bool, shown: list[XyxyNorm]
) -> None:
    tracker, at_s = following(looks)
    found = worth_showing(tracker.tracks, stirred, at_s + STEP_S, 1.0, LookSettings(margin=0.0))
    assert found == tuple(pytest.approx(box, abs=0.01) for box in shown)


@settings(max_examples=80, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))))
def test_boxes_around_cells_hold_each_of_them_once(grid: Bool) -> None:
    height, width = grid.shape
    covered = np.zeros(grid.shape, np.int64)
    boxes = boxes_of(grid)
    for x1, y1, x2, y2 in boxes:
        part = (slice(round(y1 * height), round(y2 * height)), slice(round(x1 * width), round(x2 * width)))
        assert grid[part].any(axis=0).all() or grid[part].any(axis=1).all()
        covered[part] += 1
    assert (covered[grid] == 1).all()
    assert covered.max(initial=0) <= 1
    assert all(one != other for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("reason", ["start", "linger", "forced"])
def test_look_for_what_nobody_expects_shows_the_whole_picture(reason: GateReason) -> None:
    tracker, at_s = following(WALKS)
    attention = Attention(IN_PARTS)
    attention.note([WHOLE], at_s)
    decision = GateDecision(look=True, reason=reason)
    assert attention.boxes(decision, cells((0.1, 0.1, 0.2, 0.2)), tracker, at_s, 1.0) is None


def test_whole_picture_is_looked_at_now_and_then_while_something_moves() -> None:
    tracker, at_s = following(WALKS)
    attention, moves = Attention(IN_PARTS), GateDecision(look=True, reason="motion")

    def is_whole(later_s: float) -> bool:
        return attention.boxes(moves, cells(), tracker, at_s + later_s, 1.0) is None

    assert is_whole(0.0)
    attention.note([WHOLE], at_s)
    assert not is_whole(0.2)
    attention.note([(0.0, 0.0, 0.5, 0.5)], at_s + 4.0)
    assert not is_whole(4.8)
    assert is_whole(5.0)


def test_whole_picture_is_looked_at_while_the_gate_does_not_know_what_changed() -> None:
    tracker, at_s = following(WALKS)
    attention = Attention(IN_PARTS)
    attention.note([WHOLE], at_s)
    nothing = np.zeros((0, 0), np.bool_)
    assert attention.boxes(GateDecision(look=True, reason="motion"), nothing, tracker, at_s, 1.0) is None
