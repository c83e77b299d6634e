"""Which candidate of a race wins, and why the others did not: pure functions over what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from cloud.detector.spec import Architecture
from cloud.training.evaluate import AnsweredFrame
from cloud.training.threshold import ScoredMatches, match
from edge_agent.vision.arrays import Float32
from edge_agent.wire.base import Document

_IOUS = (0.5, 0.6, 0.7, 0.8)
"""AP50 alone is soon 1.0 for an easy task; how tight boxes are tells candidates apart. A single high IoU says
little about ten frames: AP at 0.75 alone once differed by 0.13 between candidates that did the same."""

_DRAWS = 60
_NOISE_SPREADS = 2.0
_LEAST_GAIN = 0.01
"""Another seed alone gives that much; draws of frames do not show it."""


class RaceEntry(Document):
    """One candidate: what it is, what it cost, how it did, and what became of it.

    `score` is the mean of AP at IoU 0.5 to 0.8 on frames that it did not learn from, `spread` its standard
    deviation over draws of those frames; none when it never ran.
    """

    name: str
    subnets: tuple[str, ...]
    architecture: Architecture
    macs: int = Field(ge=0)
    ms: float | None = Field(None, ge=0.0)
    rounds: int = Field(0, ge=0)
    ap50: float | None = Field(None, ge=0.0, le=1.0)
    ap: float | None = Field(None, ge=0.0, le=1.0)
    score: float | None = Field(None, ge=0.0, le=1.0)
    spread: float | None = Field(None, ge=0.0)
    gates: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    verdict: str = ""


class RaceReport(Document):
    """What a race showed, cheapest candidate first."""

    schema_version: int = Field(1, alias="schema")
    chosen: str
    how: str
    frames: int = Field(ge=1)
    seconds: float = Field(ge=0.0)
    entries: tuple[RaceEntry, ...]


@dataclass(frozen=True)
class Scores:
    """The score of one candidate: on all frames, and on each draw of frames `(draws,)`."""

    score: float
    draws: Float32

    @property
    def spread(self) -> float:
        """Return the standard deviation over the draws."""
        return float(self.draws.std())


def score(answered: Sequence[AnsweredFrame], classes: Sequence[str], seed: int = 0) -> Scores:
    """Return how well frames were answered; candidates with the same frames get the same draws.

    Args:
        answered: By frames in the same order for every candidate.
        classes: What to find.
        seed: Of the draws.
    """
    random = np.random.default_rng(seed)
    draws = [random.integers(0, len(answered), len(answered)).tolist() for _ in range(_DRAWS)]
    tables = [_matches(answered, name, iou) for name in classes for iou in _IOUS]
    whole = list(range(len(answered)))
    return Scores(
        _mean_precision(tables, whole),
        np.array([_mean_precision(tables, draw) for draw in draws], np.float32),
    )


def _matches(answered: Sequence[AnsweredFrame], name: str, iou: float) -> list[ScoredMatches]:
    return [
        match(
            [
                (
                    [(found.score, found.box) for found in one.detections if found.label == name],
                    [box.box_xyxy_norm for box in one.frame.boxes if box.label == name],
                )
            ],
            iou,
        )
        for one in answered
    ]


def _mean_precision(tables: Sequence[Sequence[ScoredMatches]], frames: Sequence[int]) -> float:
    values = [average_precision([table[number] for number in frames]) for table in tables]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else 0.0


def average_precision(matches: Sequence[ScoredMatches]) -> float | None:
    """Return the area under precision over recall, precision made to fall; none without objects."""
    truth = sum(one.truth for one in matches)
    if truth == 0:
        return None
    scores = np.concatenate([one.scores for one in matches])
    right = np.concatenate([one.right for one in matches])[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best_from_here[right].sum() / truth)


def decide(entries: Sequence[RaceEntry], scores: Sequence[Scores | None]) -> tuple[int, list[str]]:
    """Return the number of the winner and a verdict on each candidate.

    From the cheapest on, a candidate takes the lead only if its gain is more than the noise of that gain over
    the same draws of frames. So of two that do the same the cheaper one wins.

    Args:
        entries: The candidates.
        scores: Of each in its last round, none for those that never ran or were dropped before.

    Raises:
        ValueError: None of them ran.
    """
    order = sorted((n for n, own in enumerate(scores) if own is not None), key=lambda n: _cost(entries[n]))
    if not order:
        message = "no candidate ran"
        raise ValueError(message)
    leader, verdicts = order[0], [entry.verdict for entry in entries]
    for number in order[1:]:
        gain, noise = _gain(scores[number], scores[leader])
        if gain > max(_LEAST_GAIN, _NOISE_SPREADS * noise):
            leader = number
    for number in order:
        verdicts[number] = _verdict(number, leader, entries, scores)
    return leader, verdicts


def _cost(entry: RaceEntry) -> tuple[float, float]:
    """Return what a candidate costs, the light form of a subnet before its full form."""
    return float(entry.macs), 0.0 if entry.architecture == "light_stride8" else 1.0


def _gain(candidate: Scores | None, leader: Scores | None) -> tuple[float, float]:
    if candidate is None or leader is None:
        return 0.0, 0.0
    return candidate.score - leader.score, float((candidate.draws - leader.draws).std())


def _verdict(number: int, leader: int, entries: Sequence[RaceEntry], scores: Sequence[Scores | None]) -> str:
    gain, noise = _gain(scores[number], scores[leader])
    if number == leader:
        return "kept"
    times = entries[number].macs / max(1, entries[leader].macs)
    if _cost(entries[number]) < _cost(entries[leader]):
        return f"beaten: {gain:+.3f} (noise {noise:.3f}) for {times:.2f}x the cost"
    return f"did not pay: {gain:+.3f} (noise {noise:.3f}) for {times:.2f}x the cost"
