"""Chooses few frames that show what all frames show: greedy coverage of the parts in which they differ.

A frame is a set of parts, the places where it differs most from what its camera usually shows. A choice
covers a part as well as its most similar chosen part (facility location; Nemhauser, Wolsey and Fisher 1978 on
why greedy is good at it). So common things come before odd ones, and nothing is shown twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.vision.arrays import Float32

Bools = npt.NDArray[np.bool_]

_PARTS = 16
_SHARPNESS = 4
_LEAST_GROUP = 5


@dataclass(frozen=True)
class Parts:
    """The parts of n frames.

    Attributes:
        features: `(n, 16, d)` float32, each part of length 1.
        weights: `(n, 16)` float32, by how much a part differs from what is usual there.
    """

    features: Float32
    weights: Float32


def parts_of(looks: Float32, cameras: Sequence[str]) -> Parts:
    """Return the parts in which frames differ most from the median of their camera.

    Args:
        looks: `(n, cells, d)` features of every cell of every frame.
        cameras: `(n,)` which frames are of one view; those of which there are few are taken together.
    """
    different = np.empty(looks.shape, np.float32)
    groups = _groups(cameras)
    for group in dict.fromkeys(groups):
        own = [number for number, name in enumerate(groups) if name == group]
        different[own] = looks[own] - np.median(looks[own], axis=0)
    strength = np.linalg.norm(different, axis=2)
    count = min(_PARTS, looks.shape[1])
    strongest = np.argsort(-strength, axis=1, kind="stable")[:, :count]
    features = np.take_along_axis(looks, strongest[:, :, None], axis=1).astype(np.float32)
    features /= np.maximum(np.linalg.norm(features, axis=2, keepdims=True), 1e-6)
    return Parts(features, np.take_along_axis(strength, strongest, axis=1).astype(np.float32))


def choose_covering(
    parts: Parts,
    worth: Float32,
    covering: Sequence[int],
    free: Sequence[int],
    count: int,
    too_near: Bools | None = None,
) -> list[int]:
    """Return the numbers of up to `count` frames, best first.

    Each next one is that with the largest product of its worth and what it covers that nothing covered yet.
    Equal products: the lowest number, so that the same input always gives the same answer.

    Args:
        parts: Of all frames.
        worth: `(n,)` not negative.
        covering: Numbers of frames that are labelled: what they show is covered.
        free: Numbers of frames that may be chosen.
        count: How many at most.
        too_near: `(n, n)` pairs that must not both be chosen; none: any may.
    """
    similar = _similarity(parts)
    weights = parts.weights.ravel()
    covered = similar[:, list(covering)].max(1) if covering else np.zeros(len(weights), np.float32)
    left, chosen = list(dict.fromkeys(free)), list[int]()
    while left and len(chosen) < count:
        gain = weights @ np.maximum(similar[:, left] - covered[:, None], 0.0)
        best = left[int(np.argmax(worth[left] * gain))]
        chosen.append(best)
        covered = np.maximum(covered, similar[:, best])
        left = [one for one in left if one != best and (too_near is None or not too_near[best, one])]
    return chosen


def near_in_time(clips: Sequence[str], times_s: Sequence[float], gap_s: float) -> Bools:
    """Return `(n, n)` which pairs are of the same clip and less than `gap_s` apart."""
    names = {clip: number for number, clip in enumerate(dict.fromkeys(clips))}
    numbers, times = np.array([names[clip] for clip in clips]), np.array(times_s, np.float64)
    close = np.abs(times[:, None] - times[None, :]) < gap_s
    near: Bools = close & (numbers[:, None] == numbers[None, :])
    return near


def _similarity(parts: Parts) -> Float32:
    """Return `(n * parts, n)` how well each frame shows each part, 0..1."""
    frames, count, depth = parts.features.shape
    flat = parts.features.reshape(frames * count, depth)
    similar = np.empty((frames * count, frames), np.float32)
    for number in range(frames):
        alike = np.maximum(flat @ parts.features[number].T, 0.0).max(1)
        similar[:, number] = alike**_SHARPNESS
    return similar


def _groups(cameras: Sequence[str]) -> list[str]:
    counts = {name: cameras.count(name) for name in set(cameras)}
    return [name if counts[name] >= _LEAST_GROUP else "" for name in cameras]
