"""The arithmetic of `cure`, and its false alarms."""

from __future__ import annotations

import numpy as np
import pytest

from bench.cure import _figures
from bench.curing.seeds import Footage, Seed, seeded
from bench.curing.watch import Watched

SEED = Seed(np.full((40, 20, 3), 255, np.uint8), left_px=50, top_px=30, first_s=2.0, walked=False)


@pytest.mark.parametrize(
    ("at_s", "turn"), [(0.0, None), (2.0, 0), (5.9, 0), (6.0, None), (14.0, 1), (18.5, None), (26.0, 2)]
)
def test_seed_comes_four_seconds_of_every_twelve(at_s: float, turn: int | None) -> None:
    assert SEED.turn(at_s) == turn


def test_seeded_pictures_differ_only_where_and_when_a_seed_is() -> None:
    grey = np.full((100, 120, 3), 90, np.uint8)
    footage = Footage((grey,) * 40, {})
    rng = np.random.default_rng(0)
    changed = [(picture != 90).any(axis=2) for picture in seeded(footage, [SEED], rng)]
    assert [bool(one.any()) for one in changed] == [SEED.turn(i / 5.0) is not None for i in range(40)]
    rows, columns = np.nonzero(np.any(changed, axis=0))
    assert rows.min() >= 28
    assert rows.max() < 72
    assert columns.min() >= 48
    assert columns.max() < 72


def test_figures_count_what_was_told_after_the_first_time() -> None:
    plain = Watched(told={0: 6, 1: 5}, found=80, there=100)
    cured = Watched(told={0: 1, 1: 2}, found=79, there=100, suppressed=8, ended_by_tap=2)
    metrics, ratios = _figures([(plain, cured)])
    assert isinstance(metrics, dict)
    assert isinstance(ratios, dict)
    assert (metrics["told_again_before"], metrics["told_again"]) == (9, 1)
    assert ratios["repeats_gone"] == pytest.approx(8 / 9)
    assert ratios["recall_lost"] == pytest.approx(1 / 80)
