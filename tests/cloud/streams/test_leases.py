"""Who may watch a stream, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloud.streams.leases import LEASE_S, Lease, is_held, is_lost, may_take, rest_s

HELD = Lease("str_1", holder="w1", token=3, beat_s=1000.0)


@pytest.mark.parametrize(
    ("now_s", "held"),
    [
        (1000.0, True),
        (1000.0 + LEASE_S - 0.1, True),
        (1000.0 + LEASE_S, False),
        (1000.0 - 3600.0, False),  # the clock was set back: a dead holder is not held for an hour
    ],
)
def test_lease_is_held_only_while_its_beat_is_fresh(now_s: float, held: bool) -> None:
    assert is_held(HELD, now_s) is held
    assert is_lost(HELD, now_s) is not held
    assert not may_take(HELD, now_s), "a lost one is first freed, and the loss noted"


def test_stream_whose_holder_died_once_may_be_taken_at_once() -> None:
    assert may_take(Lease("str_1", losses=1, lost_s=1000.0), 1000.0)


def test_stream_that_kills_its_holders_waits_longer_each_time_but_not_for_ever() -> None:
    rests = [rest_s(Lease("str_1", losses=losses)) for losses in range(12)]
    assert rests[:2] == [0.0, 0.0]
    assert 0.5 <= rests[2] <= 1.0
    assert all(15.0 <= rest <= 30.0 for rest in rests[8:])
    lost = Lease("str_1", losses=3, lost_s=1000.0)
    assert not may_take(lost, 1000.5)
    assert may_take(lost, 1000.01 + rest_s(lost))
    assert may_take(lost, 900.0), "a clock that was set back keeps nobody waiting"


def test_time_in_which_nobody_noticed_that_a_holder_died_counts_as_waited() -> None:
    lost = Lease("str_1", losses=2, beat_s=1000.0, lost_s=1000.0 + LEASE_S)
    assert may_take(lost, lost.lost_s)
    assert not may_take(replace(lost, losses=9), lost.lost_s)


def test_streams_of_one_dead_worker_come_back_spread() -> None:
    rests = {rest_s(replace(HELD, stream_id=f"str_{number}", losses=4)) for number in range(8)}
    assert len(rests) == 8
