"""A simulated user: knows the boxes of held-out frames, and labels those that it is shown, round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cloud.datasets.frames import LabelledFrame

Taught = TypeVar("Taught")


@dataclass(frozen=True)
class Round:
    """How good a detector was after a round; round 0 is before the first correction.

    Attributes:
        frames: How many labelled frames it was taught.
        quality: What `measure` said.
    """

    frames: int
    quality: float


def play(
    start: Sequence[LabelledFrame],
    pool: Sequence[LabelledFrame],
    rounds: int,
    per_round: int,
    *,
    teach: Callable[[Sequence[LabelledFrame]], Taught],
    measure: Callable[[Taught], float],
    choose: Callable[[Taught, Sequence[LabelledFrame], Sequence[LabelledFrame], int], Sequence[int]],
) -> list[Round]:
    """Let a simulated user correct what is chosen, and teach anew after each round.

    Args:
        start: What is labelled before the first round.
        pool: Frames whose boxes the user knows; those of `start` are not offered again.
        rounds: How many rounds.
        per_round: How many frames the user labels a round; fewer when the pool has run out.
        teach: Makes a detector from labelled frames.
        measure: Says how good a detector is, on frames that are neither of `start` nor of the pool.
        choose: Given the detector, what is labelled, what is left and a count: the numbers of the frames to
            label, of what is left. It must not look at their boxes.

    Raises:
        ValueError: A choice names a frame twice, one that is not there, or too many.
    """
    labelled = list(start)
    known = {frame.source for frame in start}
    left = [frame for frame in pool if frame.source not in known]
    taught = teach(labelled)
    told = [Round(len(labelled), measure(taught))]
    for _ in range(rounds):
        count = min(per_round, len(left))
        chosen = list(choose(taught, labelled, left, count))
        if len(set(chosen)) != len(chosen) or len(chosen) > count or not set(chosen) <= set(range(len(left))):
            message = f"{chosen} is no choice of {count} of {len(left)} frames"
            raise ValueError(message)
        labelled += [left[number] for number in chosen]
        left = [frame for number, frame in enumerate(left) if number not in set(chosen)]
        taught = teach(labelled)
        told.append(Round(len(labelled), measure(taught)))
    return told
