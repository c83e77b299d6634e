"""Frames that may be proposed: spread over the footage, away from what is labelled and from what tests."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud.datasets.frames import PictureSource

TEST_GAP_S = 1.0
"""Frames of a clip less than this apart from one that tests give it away."""


@dataclass(frozen=True)
class Candidate:
    """One frame of footage.

    Attributes:
        source: Where its pixels are.
        clip: What tells files apart: their SHA-256 or path; the same for the same footage.
        time_s: Seconds from the start of the clip; 0 for a picture file, which is a clip of its own.
    """

    source: PictureSource
    clip: str
    time_s: float = 0.0


def spread_over_clip(source: PictureSource, clip: str, fps: float, frames: int, most: int) -> list[Candidate]:
    """Return up to `most` frames of a video, evenly spread, first and last left out where there are enough.

    Args:
        source: Any frame of the video.
        clip: See `Candidate.clip`.
        fps: Frames a second.
        frames: How many frames the video has.
        most: At least 1.
    """
    count = min(most, frames)
    indices = [(2 * number + 1) * frames // (2 * count) for number in range(count)]
    return [Candidate(PictureSource(source.path, index), clip, index / fps) for index in indices]


def away_from(
    candidates: Iterable[Candidate], kept: Sequence[Candidate], gap_s: float = TEST_GAP_S
) -> list[Candidate]:
    """Return the candidates that lie at least `gap_s` from every frame of `kept`, and are none of them."""
    times: dict[str, list[float]] = defaultdict(list)
    for one in kept:
        times[one.clip].append(one.time_s)
    for known in times.values():
        known.sort()
    return [one for one in candidates if _distance_s(times.get(one.clip, []), one.time_s) >= gap_s]


def _distance_s(times: Sequence[float], time_s: float) -> float:
    """Return how far the nearest of ascending `times` is; infinity when there is none."""
    after = bisect_left(times, time_s)
    return min((abs(near - time_s) for near in times[max(0, after - 1) : after + 1]), default=float("inf"))
