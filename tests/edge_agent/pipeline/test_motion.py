"""How one thing moves."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.pipeline.motion import Motion
from edge_agent.wire.base import XyxyNorm

TALL = 0.75
SIZE = (0.06 * 0.16 * TALL) ** 0.5


def box_at(x: float, y: float) -> XyxyNorm:
    return x - 0.03, y - 0.08, x + 0.03, y + 0.08


def middle(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


@pytest.mark.parametrize("step_s", [0.04, 0.1, 0.2, 0.5])
def test_motion_of_a_walker_with_noisy_boxes_is_predicted_better_than_by_the_last_box(step_s: float) -> None:
    rng = random.Random(1)
    speed, noise = 0.9 * SIZE, 0.07 * SIZE
    motion, last = Motion(box_at(0.2, 0.5), 0.0, TALL), 0.2
    errors, plain = [], []
    for i in range(1, round(8 / step_s)):
        at_s = i * step_s
        x = 0.2 + speed * at_s
        if at_s > 2.0:
            errors.append(abs(middle(motion.predicted(at_s))[0] - x))
            plain.append(abs(last - x))
        last = x + rng.gauss(0.0, noise)
        motion.see(box_at(last, 0.5 + rng.gauss(0.0, noise / TALL)), at_s, TALL)
    assert sum(errors) / len(errors) < 0.85 * sum(plain) / len(plain)
    assert sum(errors) / len(errors) < noise


@given(
    moments=st.lists(st.floats(0.001, 30.0), min_size=1, max_size=30),
    x=st.floats(0.1, 0.9),
    y=st.floats(0.1, 0.9),
)
def test_motion_of_a_still_thing_stays_where_it_is_at_any_rate(
    moments: list[float], x: float, y: float
) -> None:
    motion, at_s = Motion(box_at(x, y), 0.0, TALL), 0.0
    for passed_s in moments:
        at_s += passed_s
        motion.see(box_at(x, y), at_s, TALL)
    assert middle(motion.predicted(at_s + 5.0)) == pytest.approx((x, y), abs=1e-6)
    assert motion.path_norm == 0.0
    assert motion.still_since_s == 0.0


def test_motion_one_wrong_box_does_not_send_the_prediction_away() -> None:
    motion = Motion(box_at(0.5, 0.5), 0.0, TALL)
    for i in range(1, 20):
        motion.see(box_at(0.5, 0.5), i * 0.1, TALL)
    motion.see(box_at(0.5 + SIZE, 0.5), 2.0, TALL)
    at_once, _ = middle(motion.predicted(2.1))
    for i in range(1, 5):
        motion.see(box_at(0.5, 0.5), 2.0 + i * 0.1, TALL)
    soon, _ = middle(motion.predicted(2.5))
    assert at_once - 0.5 < 0.6 * SIZE
    assert abs(soon - 0.5) < 0.25 * SIZE


def test_motion_unseen_thing_is_followed_for_a_second_and_no_further() -> None:
    motion = Motion(box_at(0.2, 0.5), 0.0, TALL)
    for i in range(1, 20):
        motion.see(box_at(0.2 + 0.01 * i, 0.5), i * 0.1, TALL)
    assert middle(motion.predicted(2.4))[0] == pytest.approx(0.44, abs=0.01)
    assert motion.predicted(2.9) == pytest.approx(motion.predicted(30.0))
