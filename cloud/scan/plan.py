"""Decides at which pictures of a recording detectors look. Pure: no pictures, no files, no clock.

First come key frames, which cost little to decode: what they show is found within seconds. Then the whole
recording is gone through, a few pictures a second, in windows. Of those in which something moves, some are
looked at; where two of them show the same things near the same places, what lies between is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge_agent.pipeline.boxes import greedy_pairs, iou_matrix, nearness_matrix, to_arrays
from edge_agent.wire.detection import Detection

_NEAR_IS_ENOUGH = 1.0

Sights = Sequence[Detection]
"""What was seen in one picture from the thresholds on, by any detector."""


@dataclass(frozen=True)
class ScanSettings:
    """How closely a recording is looked at.

    Attributes:
        glance_every_s: Key frames nearer to each other than this are passed over in the first round.
        samples_a_second: Pictures of the second round that can be looked at, in each second.
        window: So many of them are planned together.
        stride: Of those with motion, each one so many is looked at first.
        same_iou: Boxes that overlap this much in two looks are one thing that stayed about there.
        reach: Else, centres at most so many box sizes apart.
    """

    glance_every_s: float = 5.0
    samples_a_second: float = 5.0
    window: int = 24
    stride: int = 4
    same_iou: float = 0.3
    reach: float = 0.6


def first_looks(open_at: Sequence[bool], stride: int) -> list[int]:
    """Return at which pictures of a window to look first: ends of stretches with motion, and some between.

    Args:
        open_at: For each picture whether the gate lets it through.
        stride: At most so many steps from one look to the next.
    """
    looks: list[int] = []
    for index, is_open in enumerate(open_at):
        if not is_open:
            continue
        begins = index == 0 or not open_at[index - 1]
        ends = index + 1 == len(open_at) or not open_at[index + 1]
        if begins or ends or index - looks[-1] >= stride:
            looks.append(index)
    return looks


def next_looks(open_at: Sequence[bool], seen: Mapping[int, Sights], settings: ScanSettings) -> list[int]:
    """Return at which pictures to look next: halfway between two looks that do not show the same.

    Args:
        open_at: For each picture whether the gate lets it through.
        seen: What the looks so far showed, by picture.
        settings: How closely to look.
    """
    known = sorted(seen)
    looks = []
    for left, right in pairwise(known):
        middle = (left + right) // 2
        if middle > left and all(open_at[left : right + 1]) and not agree(seen[left], seen[right], settings):
            looks.append(middle)
    return looks


def agree(before: Sights, after: Sights, settings: ScanSettings) -> bool:
    """Return whether two looks show the same things near the same places."""
    labels = sorted(one.label for one in before)
    if labels != sorted(one.label for one in after):
        return False
    return all(_agree_of_label(label, before, after, settings) for label in set(labels))


def _agree_of_label(label: str, before: Sights, after: Sights, settings: ScanSettings) -> bool:
    first, second = (to_arrays([one.box for one in seen if one.label == label]) for seen in (before, after))
    near = nearness_matrix(first, second, 1.0, settings.reach) > 0
    same = iou_matrix(first, second) + near * _NEAR_IS_ENOUGH
    return len(greedy_pairs(same, settings.same_iou)) == len(first)
