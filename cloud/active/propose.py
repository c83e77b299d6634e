"""Proposes which frames of unlabelled footage to label next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cloud.active.candidates import TEST_GAP_S, Candidate, away_from
from cloud.active.cover import choose_covering, near_in_time, parts_of
from cloud.active.doubt import Doubt, doubt_of
from cloud.active.look import Detector, Looked, look_at
from cloud.errors import InputError
from cloud.subnets.features import FeatureExtractor, shared_extractor
from cloud.subnets.registry import subnet_by_name

_LOOKS_BY = "efficientnet_lite0"
_LEAST_WORTH = 0.05
_NEIGHBOUR_S = 0.5


@dataclass(frozen=True)
class ProposePlan:
    """How to propose.

    Attributes:
        count: How many frames at most.
        gap_s: Least time between two proposed frames, and between one and a labelled frame of the same clip.
        labelled: Frames that have labels; what looks like them is worth less.
        test: Frames that test; nothing within a second of them is ever proposed.
    """

    count: int
    gap_s: float = 1.0
    labelled: tuple[Candidate, ...] = ()
    test: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """One frame to label.

    Attributes:
        frame: Which.
        doubt: Why the detector doubts it; none when there is no detector yet.
    """

    frame: Candidate
    doubt: Doubt | None

    @property
    def reason(self) -> str:
        """Return why, for people."""
        if self.doubt is None or self.doubt.total < 0.5:
            return "looks unlike the frames that have labels"
        signs = {
            "scores near the threshold": self.doubt.near_threshold,
            "another answer when mirrored": self.doubt.disagreement,
            "an object that flickers": self.doubt.flicker,
        }
        return max(signs, key=lambda sign: signs[sign])


def propose(
    detector: Detector | None,
    frames: Sequence[Candidate],
    plan: ProposePlan,
    *,
    extractor: FeatureExtractor | None = None,
    refuse_if_cancelled: Callable[[int], None] = lambda _done: None,
) -> list[Proposal]:
    """Return the frames to label next, the most informative first; the same input gives the same answer.

    Args:
        detector: Whose doubt counts; none before there is one: then frames are chosen to cover the footage.
        frames: Frames that may be proposed.
        plan: How many, and what to stay away from.
        extractor: The subnet by which frames are compared; none = EfficientNet-Lite0.
        refuse_if_cancelled: Called with the number of frames looked at; may raise.

    Raises:
        InputError: No frame is left to propose, or a picture cannot be read.
    """
    free = away_from(away_from(frames, plan.test, TEST_GAP_S), plan.labelled, plan.gap_s)
    if not free:
        message = "no frame is left to propose: all are labelled, or near one that is or that tests"
        raise InputError(message)
    extractor = extractor or shared_extractor(subnet_by_name(_LOOKS_BY))
    looked = {
        one.source: one
        for one in look_at([frame.source for frame in free], extractor, detector, refuse_if_cancelled)
    }
    by_source = {one.source: one for one in look_at([one.source for one in plan.labelled], extractor, None)}
    known = [by_source[one.source] for one in plan.labelled]
    return choose(free, [looked[frame.source] for frame in free], known, detector, plan)


def choose(
    frames: Sequence[Candidate],
    looked: Sequence[Looked],
    known: Sequence[Looked],
    detector: Detector | None,
    plan: ProposePlan,
) -> list[Proposal]:
    """Return the best frames once all were looked at; `known` are the labelled ones."""
    doubts = [None] * len(frames) if detector is None else _doubts(frames, looked, detector)
    worth = np.concatenate([worth_of(doubts), np.ones(len(known), np.float32)])
    everything = [*frames, *plan.labelled]
    parts = parts_of(
        np.stack([one.look for one in (*looked, *known)]).astype(np.float32),
        [one.clip for one in everything],
    )
    near = near_in_time([one.clip for one in everything], [one.time_s for one in everything], plan.gap_s)
    covering = range(len(frames), len(everything))
    numbers = choose_covering(parts, worth, covering, range(len(frames)), plan.count, near)
    return [Proposal(frames[number], doubts[number]) for number in numbers]


def worth_of(doubts: Sequence[Doubt | None]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return `(n,)` worths by the square of doubt, 1 for the most doubtful; 1 for all where none is known."""
    totals = np.array([np.nan if doubt is None else doubt.total for doubt in doubts], np.float32)
    if np.isnan(totals).any() or totals.max() <= 0:
        return np.ones(len(totals), np.float32)
    share = _LEAST_WORTH + (1 - _LEAST_WORTH) * totals / totals.max()
    return np.asarray(share**2, np.float32)


def _doubts(frames: Sequence[Candidate], looked: Sequence[Looked], detector: Detector) -> list[Doubt | None]:
    thresholds = {label.name: label.threshold for label in detector.labels}
    order = sorted(range(len(frames)), key=lambda number: (frames[number].clip, frames[number].time_s))
    doubts: list[Doubt | None] = [None] * len(frames)
    for place, number in enumerate(order):
        before = _neighbour(frames, order, place, -1)
        after = _neighbour(frames, order, place, 1)
        doubts[number] = doubt_of(
            looked[number].found,
            looked[number].mirrored,
            None if before is None else looked[before].found,
            None if after is None else looked[after].found,
            thresholds,
        )
    return doubts


def _neighbour(frames: Sequence[Candidate], order: Sequence[int], place: int, step: int) -> int | None:
    """Return the number of the frame next in time, unless it is of another clip or far away."""
    if not 0 <= place + step < len(order):
        return None
    here, other = frames[order[place]], frames[order[place + step]]
    is_near = here.clip == other.clip and abs(here.time_s - other.time_s) <= _NEIGHBOUR_S
    return order[place + step] if is_near else None
