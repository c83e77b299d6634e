"""The script of a film: who appears when, and how long nobody does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.composing.cuttings import PARTS, STEP, Passage
from edge_agent.wire.base import XyxyNorm

CLIP_FPS = 10
FPS = CLIP_FPS // STEP
"""The agent's default."""

_LEAST_GAP_S = 12.0
"""Longer than the tracker's patience: who comes next is somebody new."""

_HALF_FRAMES = 40

Kind = Literal["whole", "half", "scene"]


@dataclass(frozen=True)
class Appearance:
    """One person's time in the film.

    Attributes:
        passage: Where it is.
        start_s: When it comes, from the film's start.
        kind: The whole way alone, half of it, or together with all others of that part of the clip.
        first_frame: Frame of the clip at `start_s`.
    """

    passage: Passage
    start_s: float
    kind: Kind
    first_frame: int

    @property
    def end_s(self) -> float:
        """Return when it is gone."""
        return self.start_s + (self.passage.frames[-1] - self.first_frame) / CLIP_FPS

    @property
    def shown_s(self) -> float:
        """Return when it comes into view; in a scene later than the scene begins."""
        return self.start_s + (self.passage.frames[0] - self.first_frame) / CLIP_FPS

    def box(self, at_s: float) -> XyxyNorm | None:
        """Return where it is then, if it is in view."""
        return self.passage.boxes.get(self.frame(at_s))

    def frame(self, at_s: float) -> int:
        """Return the frame of the clip that shows then."""
        return self.first_frame + STEP * round((at_s - self.start_s) * FPS)


@dataclass(frozen=True)
class Script:
    """A film: its length, who appears, and when the longest time without anybody is."""

    duration_s: float
    appearances: tuple[Appearance, ...]
    still: tuple[float, float]


def write_script(
    passages: Sequence[Passage], kinds: Sequence[Kind], minutes: float, still_min: float
) -> Script:
    """Return a script in which every passage appears once in each of these kinds.

    Args:
        passages: Ways of persons.
        kinds: How they appear.
        minutes: Length of the film.
        still_min: How long nobody is there, in the middle.

    Raises:
        ValueError: The film is too short for all that.
    """
    rng = random.Random(0)  # noqa: S311 - a draw that can be repeated
    turns = [turn for kind in kinds for turn in _turns(passages, kind)]
    rng.shuffle(turns)
    shown_s = sum(_length_s(turn) for _, turn in turns)
    spare_s = 60.0 * (minutes - still_min) - shown_s - _LEAST_GAP_S * (len(turns) + 1)
    if spare_s < 0:
        message = f"{minutes} minutes are too few: {-spare_s:.0f} s more are needed"
        raise ValueError(message)
    shares = [rng.random() for _ in range(len(turns) + 1)]
    gaps_s = [_LEAST_GAP_S + spare_s * share / sum(shares) for share in shares]
    return _place(turns, gaps_s, 60.0 * still_min, 60.0 * minutes)


Turn = tuple[Kind, tuple[Passage, ...]]


def _place(turns: Sequence[Turn], gaps_s: Sequence[float], still_s: float, duration_s: float) -> Script:
    appearances: list[Appearance] = []
    at_s, still = 0.0, (0.0, 0.0)
    for index, ((kind, together), gap_s) in enumerate(zip(turns, gaps_s, strict=False)):
        if index == len(turns) // 2:
            still = (at_s, at_s + still_s + gap_s)
            at_s += still_s
        at_s = round((at_s + gap_s) * FPS) / FPS
        first = min(passage.frames[0] for passage in together)
        appearances += [Appearance(passage, at_s, kind, first) for passage in together]
        at_s += _length_s(together)
    return Script(duration_s, tuple(appearances), still)


def _turns(passages: Sequence[Passage], kind: Kind) -> list[Turn]:
    if kind == "scene":
        return [(kind, tuple(p for p in passages if p.part == part)) for part in PARTS]
    if kind == "whole":
        return [(kind, (passage,)) for passage in passages]
    halves = []
    for passage in passages:
        first, last = passage.frames[0], passage.frames[-1]
        middle = first + (last - first) // (2 * STEP) * STEP
        if middle - first >= _HALF_FRAMES:
            halves += [passage.between(first, middle - STEP), passage.between(middle, last)]
    return [(kind, (half,)) for half in halves]


def _length_s(together: Sequence[Passage]) -> float:
    first = min(passage.frames[0] for passage in together)
    return (max(passage.frames[-1] for passage in together) - first) / CLIP_FPS
