"""Which frames are learned from and which are kept to check: neighbours in time stay together.

Two frames a second apart are nearly the same picture. So a video is cut into runs of frames, at its widest
pauses where possible, and each run goes to one side as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloud.datasets.frames import LabelledFrame

FEW_FRAMES = 30
"""Below this, cross-validation: too few to give some away."""


@dataclass(frozen=True)
class Split:
    """Numbers of frames, ascending: those to learn from, and those to check on."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]


def in_time_order(frames: Sequence[LabelledFrame]) -> list[int]:
    """Return the numbers of the frames, file by file, each file's frames in time; image files by name."""

    def key(number: int) -> tuple[str, int]:
        source = frames[number].source
        return str(source.path), -1 if source.frame_index is None else source.frame_index

    return sorted(range(len(frames)), key=key)


def folds(frames: Sequence[LabelledFrame], count: int) -> list[Split]:
    """Return splits for cross-validation: every frame is held out once, with its neighbours in time.

    Args:
        frames: At least 2.
        count: How many folds; fewer when there are fewer frames.

    Raises:
        ValueError: Fewer than 2 frames.
    """
    if len(frames) < 2:
        message = "cross-validation needs at least 2 frames"
        raise ValueError(message)
    order = in_time_order(frames)
    count = min(count, len(frames))
    borders = [round(i * len(order) / count) for i in range(count + 1)]
    return [_split(order, order[start:end]) for start, end in pairwise(borders)]


def hold_out(frames: Sequence[LabelledFrame], share: float = 0.2) -> Split:
    """Return one split that holds out about `share` of the frames, one run in time of each video.

    The run lies late but not at the end, where a video often trails off, and begins and ends at the widest
    pauses nearby. Image files count as one video.
    """
    held_out: list[int] = []
    for group in _by_video(frames):
        length = max(1, round(len(group) * share))
        if len(group) > 1:
            held_out += _best_run(frames, group, length)
    if not held_out:
        # Each file has one picture only: any of them may go.
        order = in_time_order(frames)
        held_out = order[:: max(2, round(1 / share))]
    return _split(in_time_order(frames), held_out)


def _split(order: Sequence[int], held_out: Sequence[int]) -> Split:
    kept = set(held_out)
    return Split(tuple(sorted(set(order) - kept)), tuple(sorted(kept)))


def _by_video(frames: Sequence[LabelledFrame]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for number in in_time_order(frames):
        source = frames[number].source
        groups["" if source.frame_index is None else str(source.path)].append(number)
    return list(groups.values())


def _best_run(frames: Sequence[LabelledFrame], group: Sequence[int], length: int) -> list[int]:
    """Return the run of `length` in the later half that has the widest pauses around it."""

    def pause(position: int) -> int:
        """Return the frames between a frame and the one before; 0 at the ends, where nothing is gained."""
        if position <= 0 or position >= len(group):
            return 0
        after, before = frames[group[position]].source, frames[group[position - 1]].source
        return (after.frame_index or 0) - (before.frame_index or 0)

    first = min(len(group) // 2, len(group) - length)
    starts = range(first, len(group) - length + 1)
    start = max(starts, key=lambda position: min(pause(position), pause(position + length)))
    return list(group[start : start + length])
