"""A simulated user: knows the boxes of held-out frames, and corrects what it is shown, round by round."""

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
        frames: How many frames the user was shown, with those of the start.
        corrections: How many things the user put right in this round.
        quality: What `measure` said.
    """

    frames: int
    corrections: int
    quality: float


Answer = tuple[LabelledFrame | None, int]
"""What a frame teaches once the user looked at it, none when nothing was wrong; and how much was."""


def play(
    start: Sequence[LabelledFrame],
    pool: Sequence[LabelledFrame],
    rounds: int,
    per_round: int,
    *,
    teach: Callable[[Sequence[LabelledFrame]], Taught],
    measure: Callable[[Taught], float],
    choose: Callable[[Taught, Sequence[LabelledFrame], Sequence[LabelledFrame], int], Sequence[int]],
    answer: Callable[[Taught, LabelledFrame], Answer],
) -> list[Round]:
    """Let a simulated user correct what is chosen, and teach anew after each round.

    Args:
        start: What is labelled before the first round.
        pool: Frames whose boxes the user knows; those of `start` are not offered again.
        rounds: How many rounds.
        per_round: How many frames the user labels a round; fewer when the pool has run out.
        teach: Makes a detector from labelled frames.
        measure: Says how good a detector is, on frames that are neither of `start` nor of the pool.
        choose: Given the detector, what was shown, what is left and a count: the numbers of the frames to
            show next, of what is left. It must not look at their boxes.
        answer: What the user says to a frame, given what the detector sees in it.

    Raises:
        ValueError: A choice names a frame twice, one that is not there, or too many.
    """
    lessons, shown = list(start), list(start)
    known = {frame.source for frame in start}
    left = [frame for frame in pool if frame.source not in known]
    taught = teach(lessons)
    told = [Round(len(shown), 0, measure(taught))]
    for _ in range(rounds):
        chosen = _checked(choose(taught, shown, left, min(per_round, len(left))), len(left), per_round)
        answers = [answer(taught, left[number]) for number in chosen]
        lessons += [lesson for lesson, _ in answers if lesson is not None]
        shown += [left[number] for number in chosen]
        left = [frame for number, frame in enumerate(left) if number not in set(chosen)]
        taught = teach(lessons)
        told.append(Round(len(shown), sum(count for _, count in answers), measure(taught)))
    return told


def _checked(numbers: Sequence[int], there: int, most: int) -> list[int]:
    chosen = list(numbers)
    if len(set(chosen)) != len(chosen) or len(chosen) > most or not set(chosen) <= set(range(there)):
        message = f"{chosen} is no choice of {most} of {there} frames"
        raise ValueError(message)
    return chosen
