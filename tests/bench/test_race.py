"""The arithmetic of `race`."""

from __future__ import annotations

import pytest

from bench.race import Runner, best_by_hand, macs_of, middle, verdict
from cloud.subnets.manifest import MACS_AT_PX
from cloud.subnets.registry import built_in


def runner(ap50: float, macs: int = 100) -> Runner:
    return Runner(ap50, ap50 / 2, macs, 1.0)


@pytest.mark.parametrize(
    ("raced", "hand", "words"),
    [
        (runner(0.93), runner(0.90), "better: +0.030 AP50 for 1.00x"),
        (runner(0.902, 50), runner(0.90), "equal: +0.002 AP50 for 0.50x"),
        (runner(0.898, 200), runner(0.90), "equal: -0.002 AP50 for 2.00x"),
        (runner(0.85), runner(0.90), "worse: -0.050 AP50"),
    ],
)
def test_verdict_tells_gain_and_cost(raced: Runner, hand: Runner, words: str) -> None:
    assert verdict(raced, hand).startswith(words)


@pytest.mark.parametrize(
    ("by_hand", "best"),
    [
        ({"small": runner(0.90, 10), "large": runner(0.95, 40)}, "large"),
        ({"small": runner(0.948, 10), "large": runner(0.95, 40)}, "small"),
        ({"a": runner(0.95, 10), "b": runner(0.951, 10)}, "b"),
    ],
)
def test_best_by_hand_is_the_cheapest_of_the_best(by_hand: dict[str, Runner], best: str) -> None:
    assert best_by_hand(by_hand) == best


def test_choice_by_tight_boxes_may_be_another_one() -> None:
    by_hand = {"loose": Runner(1.0, 0.50, 10, 1.0), "tight": Runner(0.95, 0.60, 10, 1.0)}
    assert (best_by_hand(by_hand), best_by_hand(by_hand, "ap")) == ("loose", "tight")
    assert verdict(by_hand["loose"], by_hand["tight"], "ap") == "worse: -0.100 AP for 1.00x the cost"


def test_middle_takes_the_median_of_each() -> None:
    assert middle([runner(0.9, 1), runner(0.7, 3), runner(0.8, 2)]) == Runner(0.8, 0.4, 2, 1.0)


def test_macs_of_grow_with_the_input() -> None:
    subnet = built_in()[0]
    assert macs_of([subnet], MACS_AT_PX) == subnet.macs
    assert macs_of([subnet, subnet], (MACS_AT_PX[0] * 2, MACS_AT_PX[1])) == 4 * subnet.macs
