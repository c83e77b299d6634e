"""Decides at which pictures of a recording detectors look. Pure: no pictures, no files, no clock.

First come key frames of long ones, which cost little to decode: what they show is found within seconds. Then
the whole recording is gone through, a few pictures a second, in windows. Of those in which something moves,
some are looked at; where each thing that is surely in one of two looks is in the other too, if only faintly,
what lies between is known. Else it came, went or flared up between them, and the picture halfway tells more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge_agent.pipeline.boxes import greedy_pairs, nearness_matrix, to_arrays
from edge_agent.wire.detection import Detection

BEFORE = -1
"""The place of the last picture before a window, among those of the window."""

Sights = Sequence[Detection]


@dataclass(frozen=True)
class Shown:
    """What one picture showed to any detector: what reaches its threshold, and all of it."""

    sure: Sights
    every: Sights


@dataclass(frozen=True)
class ScanSettings:
    """How closely a recording is looked at.

    Attributes:
        glance_every_s: Key frames nearer to each other than this are passed over in the first round.
        glance_from_s: Shorter recordings have no first round: they are gone through in seconds.
        samples_a_second: Pictures of the second round that can be looked at, in each second.
        window: So many of them are planned together.
        stride: Of those with motion, each one so many is looked at first.
        reach: A thing in two looks moved at most so many box sizes from one to the other.
        least_nearness: It is as near and as alike in size as this, at least; as the tracker demands.
    """

    glance_every_s: float = 5.0
    glance_from_s: float = 120.0
    samples_a_second: float = 5.0
    window: int = 24
    stride: int = 3
    reach: float = 2.0
    least_nearness: float = 0.25


def first_looks(open_at: Sequence[bool], stride: int, *, after_look: bool = False) -> list[int]:
    """Return at which pictures of a window to look first: ends of stretches with motion, and some between.

    Args:
        open_at: For each picture whether the gate lets it through.
        stride: At most so many steps from one look to the next.
        after_look: The picture before the window was looked at: what moves from the first one on is no new
            stretch.
    """
    looks: list[int] = []
    last = BEFORE
    for index, is_open in enumerate(open_at):
        if not is_open:
            continue
        begins = not (open_at[index - 1] if index else after_look)
        ends = index + 1 == len(open_at) or not open_at[index + 1]
        if begins or ends or index - last >= stride:
            looks.append(index)
            last = index
    return looks


def next_looks(open_at: Sequence[bool], seen: Mapping[int, Shown], settings: ScanSettings) -> list[int]:
    """Return at which pictures to look next: halfway between two looks that do not show the same.

    Args:
        open_at: For each picture whether the gate lets it through.
        seen: What the looks so far showed, by picture; that at `BEFORE` too, if there was one.
        settings: How closely to look.
    """
    looks = []
    for left, right in pairwise(sorted(seen)):
        middle = (left + right) // 2
        moves_between = all(open_at[left + 1 : right + 1])
        if middle > left and moves_between and not agree(seen[left], seen[right], settings):
            looks.append(middle)
    return looks


def agree(before: Shown, after: Shown, settings: ScanSettings) -> bool:
    """Return whether all that is surely in one of two looks is in the other too, near its place."""
    return _holds(after.every, before.sure, settings) and _holds(before.every, after.sure, settings)


def _holds(every: Sights, sure: Sights, settings: ScanSettings) -> bool:
    return all(_holds_label(label, every, sure, settings) for label in {one.label for one in sure})


def _holds_label(label: str, every: Sights, sure: Sights, settings: ScanSettings) -> bool:
    wanted, there = (to_arrays([one.box for one in some if one.label == label]) for some in (sure, every))
    near = nearness_matrix(wanted, there, 1.0, settings.reach)
    return len(greedy_pairs(near, settings.least_nearness)) == len(wanted)
