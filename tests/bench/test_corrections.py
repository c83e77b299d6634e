"""The benchmark of corrections: what the simulated user knows, and what it never sees."""

from __future__ import annotations

from pathlib import Path

from bench.corrections import FRAMES_PER_ROUND, ROUNDS, START_FRAMES, pool_and_test
from cloud.active.candidates import TEST_GAP_S

CLIP = Path("vtest.avi")


def test_pool_is_by_time_each_frame_once_and_lasts_for_all_rounds() -> None:
    pool, _ = pool_and_test(CLIP, quick=False)
    indices = [frame.source.frame_index or 0 for frame in pool]
    assert indices == sorted(set(indices))
    assert len(pool) > 2 * (START_FRAMES + ROUNDS * FRAMES_PER_ROUND)
    assert all(frame.boxes for frame in pool)


def test_no_frame_of_the_pool_is_within_a_second_of_a_test_frame() -> None:
    for quick in (False, True):
        pool, test = pool_and_test(CLIP, quick=quick)
        last_s = max(frame.source.frame_index or 0 for frame in pool) / 10
        first_s = min(frame.source.frame_index or 0 for frame in test) / 10
        assert first_s - last_s > TEST_GAP_S


def test_short_look_leaves_the_blind_frames_alone() -> None:
    _, blind = pool_and_test(CLIP, quick=False)
    _, test = pool_and_test(CLIP, quick=True)
    assert {frame.source for frame in test}.isdisjoint(frame.source for frame in blind)
