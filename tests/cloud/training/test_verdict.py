"""Who wins a race: more than noise for more cost, and words for the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.training.evaluate import AnsweredFrame, measure
from cloud.training.threshold import ScoredMatches
from cloud.training.verdict import RaceEntry, Scores, average_precision, decide, score
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection


def entry(name: str, macs: int) -> RaceEntry:
    return RaceEntry(name=name, subnets=(name,), architecture="anchor_free_stride8", macs=macs)


def scores(value: float, *, noise: float = 0.0, seed: int = 0) -> Scores:
    draws = value + noise * np.random.default_rng(seed).standard_normal(60)
    return Scores(value, draws.astype(np.float32))


def test_decide_costlier_candidate_without_real_gain_does_not_pay() -> None:
    entries = [entry("large", 190), entry("small", 100)]
    winner, verdicts = decide(entries, [scores(0.903), scores(0.9)])
    assert winner == 1
    assert verdicts == ["did not pay: +0.003 (noise 0.000) for 1.90x the cost", "kept"]


def test_decide_costlier_candidate_with_real_gain_wins() -> None:
    entries = [entry("small", 100), entry("large", 190)]
    winner, verdicts = decide(entries, [scores(0.9, noise=0.01, seed=1), scores(0.95, noise=0.01, seed=2)])
    assert winner == 1
    assert verdicts[0].startswith("beaten: -0.050")


def test_decide_gain_within_its_noise_is_no_gain() -> None:
    entries = [entry("small", 100), entry("large", 190)]
    assert decide(entries, [scores(0.9, noise=0.05, seed=1), scores(0.93, noise=0.05, seed=2)])[0] == 0


def test_decide_noise_that_both_share_does_not_hide_a_gain() -> None:
    entries = [entry("small", 100), entry("large", 190)]
    assert decide(entries, [scores(0.9, noise=0.05, seed=1), scores(0.93, noise=0.05, seed=1)])[0] == 1


def test_decide_light_form_of_the_same_subnet_is_the_cheaper_one() -> None:
    light = entry("small", 100).model_copy(update={"architecture": "light_stride8"})
    winner, verdicts = decide([entry("small", 100), light], [scores(0.9), scores(0.9)])
    assert winner == 1
    assert verdicts[0].startswith("did not pay: +0.000")


def test_decide_keeps_the_verdict_of_those_that_never_ran() -> None:
    skipped = entry("large", 10).model_copy(update={"verdict": "not raced: no time was left"})
    winner, verdicts = decide([skipped, entry("small", 100)], [None, scores(0.5)])
    assert (winner, verdicts) == (1, ["not raced: no time was left", "kept"])
    with pytest.raises(ValueError, match="no candidate"):
        decide([skipped], [None])


@pytest.mark.parametrize(
    ("right", "truth", "expected"),
    [
        ([True, True], 2, 1.0),
        ([True, False], 2, 0.5),
        ([False, True], 1, 0.5),
        ([], 2, 0.0),
        ([False], 0, None),
        ([True, False, True], 2, (1 + 2 / 3) / 2),
    ],
)
def test_average_precision_is_the_area(right: list[bool], truth: int, expected: float | None) -> None:
    ranks = np.linspace(0.9, 0.1, len(right)).astype(np.float32)
    value = average_precision([ScoredMatches(ranks, np.array(right, np.bool_), truth)])
    assert value == (None if expected is None else pytest.approx(expected))


def _answered(number: int, found: list[tuple[XyxyNorm, float]]) -> AnsweredFrame:
    boxes = (LabelledBox("cat", (0.1, 0.1, 0.4, 0.4)), LabelledBox("cat", (0.6, 0.6, 0.9, 0.9)))
    frame = LabelledFrame(PictureSource(Path(f"{number}.png")), 100, 100, boxes)
    return AnsweredFrame(frame, tuple(Detection(label="cat", score=s, box=box) for box, s in found))


def test_score_agrees_with_coco_and_draws_are_repeatable() -> None:
    answered = [
        _answered(0, [((0.1, 0.1, 0.4, 0.4), 0.9), ((0.6, 0.6, 0.9, 0.9), 0.8)]),
        _answered(1, [((0.1, 0.1, 0.4, 0.4), 0.7), ((0.0, 0.6, 0.2, 0.9), 0.95)]),
    ]
    own = score(answered, ["cat"])
    assert own.score == pytest.approx(measure(answered, ["cat"]).ap50, abs=0.02)
    assert np.array_equal(own.draws, score(answered, ["cat"]).draws)
    assert own.spread > 0
