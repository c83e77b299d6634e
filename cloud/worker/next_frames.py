"""Which frame to label next, by time alone: what is farthest from all labels shows most that is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cloud.jobs.teaching_protocol import NextFrame

_LOOKED_AT = 64


@dataclass(frozen=True)
class Footage:
    """A picture (one frame) or video; `fps` none counts as one frame a second."""

    media_id: str
    frame_count: int
    fps: float | None


def farthest_frames(
    footage: Sequence[Footage], labelled: Mapping[str, AbstractSet[int]], count: int
) -> tuple[NextFrame, ...]:
    """Return up to `count` frames without labels, each as far as can be from labelled ones and the others.

    A file in which nothing is labelled comes before all others. The rule is farthest-first traversal
    (Gonzalez 1985) on the time line of each file.

    Args:
        footage: The files to choose from.
        labelled: Indices of labelled frames by file.
        count: How many frames at most.
    """
    known = {one.media_id: set(labelled.get(one.media_id, ())) for one in footage}
    chosen: list[NextFrame] = []
    while len(chosen) < count:
        ranked = [best for one in footage if (best := _farthest(one, known[one.media_id])) is not None]
        if not ranked:
            break
        distance_s, frame = max(ranked, key=lambda pair: pair[0])
        known[frame.media_id].add(frame.frame_index)
        untouched = distance_s == float("inf")
        reason = (
            "nothing is labelled in this file yet" if untouched else f"{distance_s:.0f} s from any labels"
        )
        chosen.append(frame.model_copy(update={"reason": reason}))
    return tuple(chosen)


def _farthest(one: Footage, known: AbstractSet[int]) -> tuple[float, NextFrame] | None:
    """Return the frame farthest from `known` and its distance in seconds, endless when nothing is known."""
    looked_at = min(_LOOKED_AT, one.frame_count)
    spread = {(2 * i + 1) * one.frame_count // (2 * looked_at) for i in range(looked_at)}
    free = sorted(spread - known)
    if not free:
        return None
    if not known:
        return float("inf"), NextFrame(media_id=one.media_id, frame_index=free[len(free) // 2])
    distance = {index: min(abs(index - other) for other in known) for index in free}
    index = max(free, key=lambda candidate: distance[candidate])
    return distance[index] / (one.fps or 1.0), NextFrame(media_id=one.media_id, frame_index=index)
