"""Decides at which pictures of a recording detectors look. Pure: no pictures, no files, no clock.

First come key frames of long ones, which cost little to decode: what they show is found within seconds. Then
the whole recording is gone through, a few pictures a second, in windows. Of those in which something moves,
some are looked at. What two of them surely show is there, and what lies between is known; the pictures around
a thing that was surely seen only once, and seldom at all, are looked at too, until it is known whether it was
one. So are those between two looks of which one shows nothing: when the first came, when the last went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edge_agent.pipeline.boxes import greedy_pairs, nearness_matrix, to_arrays
from edge_agent.wire.detection import Detection

BEFORE = -1
"""The place of the last picture before a window, among those of the window."""

Sights = Sequence[Detection]


@dataclass(frozen=True)
class Shown:
    """What one picture showed to any detector.

    Attributes:
        sure: What reaches its threshold.
        likely: These, then what is little below.
        every: All of it.
    """

    sure: Sights
    likely: Sights
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
        few: What was seen at more looks than this needs no more of them.
        apart: So many steps lie between two looks that surely show a thing, at least, for it to be one.
        reach: A thing in two looks moved at most so many box sizes from one to the other.
        least_nearness: It is as near and as alike in size as this, at least; as the tracker demands.
    """

    glance_every_s: float = 5.0
    glance_from_s: float = 120.0
    samples_a_second: float = 5.0
    window: int = 24
    stride: int = 4
    few: int = 3
    apart: int = 2
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
    """Return at which pictures to look next: halfway between two looks that leave something open.

    Args:
        open_at: For each picture whether the gate lets it through.
        seen: What the looks so far showed, by picture; that at `BEFORE` too, if there was one.
        settings: How closely to look.
    """
    looks, undecided = [], _undecided(open_at, seen, settings)
    for left, right in pairwise(sorted(seen)):
        middle = (left + right) // 2
        if middle == left or not _moves(open_at, left, right):
            continue
        if left in undecided or right in undecided or _came_or_went(seen[left], seen[right], settings):
            looks.append(middle)
    return looks


def _moves(open_at: Sequence[bool], left: int, right: int) -> bool:
    """Return whether something moves all the time from one look to the next."""
    return all(open_at[left + 1 : right + 1])


def _came_or_went(before: Shown, after: Shown, settings: ScanSettings) -> bool:
    """Return whether one look surely shows something, and the other one nothing of it."""
    if bool(before.sure) == bool(after.sure):
        return False
    return not _pairs(before.sure, after.every, settings) and not _pairs(after.sure, before.every, settings)


_Chain = list[tuple[int, bool]]
"""Looks in a row that show a thing, and whether they do so surely."""


def _undecided(open_at: Sequence[bool], seen: Mapping[int, Shown], settings: ScanSettings) -> set[int]:
    """Return the looks with something that may be a thing or a flicker."""
    last = len(open_at) - 1
    chains = _chains(open_at, seen, settings)
    return {place for chain in chains if not _is_decided(chain, last, settings) for place, _ in chain}


def _is_decided(chain: _Chain, last: int, settings: ScanSettings) -> bool:
    surely = [place for place, is_sure in chain if is_sure]
    # What is there at the end of a window is the next one's question.
    if not surely or len(chain) > settings.few or chain[-1][0] == last:
        return True
    return surely[-1] - surely[0] >= settings.apart


def _chains(open_at: Sequence[bool], seen: Mapping[int, Shown], settings: ScanSettings) -> list[_Chain]:
    chains: list[_Chain] = []
    current: dict[int, _Chain] = {}
    places = sorted(seen)
    for before, place in zip([None, *places], places, strict=False):
        shown, going_on = seen[place], current
        current = {}
        if before is not None and _moves(open_at, before, place):
            for old, new in _pairs(seen[before].likely, shown.likely, settings):
                current[new] = going_on[old]
        for number in range(len(shown.likely)):
            if number not in current:
                current[number] = []
                chains.append(current[number])
            current[number].append((place, number < len(shown.sure)))
    return chains


def _pairs(first: Sights, second: Sights, settings: ScanSettings) -> list[tuple[int, int]]:
    """Return which of the first things may be which of the second ones, by their numbers."""
    if not first or not second:
        return []
    boxes, others = (to_arrays([one.box for one in things]) for things in (first, second))
    near = nearness_matrix(boxes, others, 1.0, settings.reach)
    same = np.array([[one.label == other.label for other in second] for one in first])
    return greedy_pairs(np.asarray(np.where(same, near, -1.0), np.float32), settings.least_nearness)
