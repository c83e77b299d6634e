"""Precision against recall, the best threshold, and whether scores mean what they say: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cloud.training.evaluate import AnsweredFrame
from cloud.training.threshold import ScoredMatches, match

BINS: Final = 10
CALIBRATION_FLOOR: Final = 0.05
"""Weaker detections are never reported; whether their scores are right tells nothing."""

_MOST_POINTS = 120


@dataclass(frozen=True)
class Working:
    """How a detector does when it reports from one score on."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Bin:
    """Detections with scores of one tenth: their number, mean score, and the share that is right."""

    low: float
    count: int
    mean_score: float
    right_share: float


def matches_of(answered: Sequence[AnsweredFrame], label: str) -> ScoredMatches:
    """Match the detections of a class at IoU 0.5."""
    return match(
        [
            (
                [(each.score, each.box) for each in one.detections if each.label == label],
                [box.box_xyxy_norm for box in one.frame.boxes if box.label == label],
            )
            for one in answered
        ]
    )


def working_at(matches: ScoredMatches, threshold: float) -> Working:
    """Return precision, recall and F1 of what is reported from `threshold` on; 0 where nothing is."""
    strong = matches.scores >= threshold
    hits, said = int(matches.right[strong].sum()), int(strong.sum())
    precision = hits / said if said else 0.0
    recall = hits / matches.truth if matches.truth else 0.0
    f1 = 2 * hits / (said + matches.truth) if said + matches.truth else 0.0
    return Working(threshold, precision, recall, f1)


def precision_recall(matches: ScoredMatches) -> list[Working]:
    """Return the working points from the highest score down, thinned to about a hundred."""
    order = np.argsort(-matches.scores, kind="stable")
    borders = np.append(matches.scores[order][1:] < matches.scores[order][:-1], True) if len(order) else order
    places = np.nonzero(borders)[0]
    if len(places) > _MOST_POINTS:
        places = places[np.unique(np.linspace(0, len(places) - 1, _MOST_POINTS).astype(int))]
    hits = np.cumsum(matches.right[order])
    return [
        Working(
            float(matches.scores[order][place]),
            float(hits[place] / (place + 1)),
            float(hits[place] / matches.truth) if matches.truth else 0.0,
            float(2 * hits[place] / (place + 1 + matches.truth)),
        )
        for place in places
    ]


def joined(parts: Sequence[ScoredMatches]) -> ScoredMatches:
    """Return the matches of several classes as one."""
    return ScoredMatches(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.right for part in parts]),
        sum(part.truth for part in parts),
    )


def reliability(matches: ScoredMatches) -> list[Bin]:
    """Return the bins of scores that hold a detection: a calibrated score of 0.7 is right 7 times of 10."""
    known = matches.scores >= CALIBRATION_FLOOR
    scores, right = matches.scores[known], matches.right[known]
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        Bin(
            number / BINS,
            int((place == number).sum()),
            float(scores[place == number].mean()),
            float(right[place == number].mean()),
        )
        for number in range(BINS)
        if (place == number).any()
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """Return the mean distance of score and truth over all detections; none when there is none."""
    total = sum(one.count for one in bins)
    if not total:
        return None
    return sum(one.count * abs(one.mean_score - one.right_share) for one in bins) / total
