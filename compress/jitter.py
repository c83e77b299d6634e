"""Small changes of a lesson whose answer follows without asking the full detector again.

It is asked about a few hundred views. A student sees each a dozen times, and each time a little else:
mirrored, moved by whole cells of the coarsest grid, in another light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compress.protocol import Rgb
from compress.teacher import PAD_VALUE, Answer, LevelAnswer

STEP_PX = 32
"""A cell of the coarsest grid; moved by whole ones, all grids move by whole cells."""

_MOST_STEPS = 2
_MOVED_SHARE = 0.5
_CONTRASTS = 0.85, 1.18
_BRIGHTNESS = 15.0

_Array = npt.NDArray[np.float16] | npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Jitter:
    """What is changed: steps of `STEP_PX` to the right and down, then the light, then left and right."""

    right: int = 0
    down: int = 0
    contrast: float = 1.0
    brightness: float = 0.0
    is_mirrored: bool = False


def draw(random: np.random.Generator) -> Jitter:
    """Return a random one."""
    right, down = (int(one) for one in random.integers(-_MOST_STEPS, _MOST_STEPS + 1, 2))
    is_moved, is_mirrored = random.random(2) < (_MOVED_SHARE, 0.5)
    return Jitter(
        right if is_moved else 0,
        down if is_moved else 0,
        float(np.exp(random.uniform(*np.log(_CONTRASTS)))),
        float(random.uniform(-_BRIGHTNESS, _BRIGHTNESS)),
        bool(is_mirrored),
    )


def jittered(pixels: Rgb, answer: Answer, jitter: Jitter) -> tuple[Rgb, Answer]:
    """Return a changed lesson.

    Args:
        pixels: `(h, w, 3) uint8` of the network's size, multiples of `STEP_PX`.
        answer: On its grids.
        jitter: What to change.
    """
    height_px = pixels.shape[0]
    levels = (np.arange(256) - PAD_VALUE) * jitter.contrast + PAD_VALUE + jitter.brightness
    table = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    # Moved after the light was changed, so that what comes in is as grey as any border.
    moved = _moved(table[pixels], jitter, STEP_PX, PAD_VALUE)
    followed = tuple(_followed(level, jitter, height_px // level.heat.shape[0]) for level in answer)
    if jitter.is_mirrored:
        moved = moved[:, ::-1]
    return np.ascontiguousarray(moved), followed


def _followed(level: LevelAnswer, jitter: Jitter, stride_px: int) -> LevelAnswer:
    cells = STEP_PX // stride_px
    heat = _moved(level.heat, jitter, cells, 0)
    distances = _moved(level.distances, jitter, cells, 0)
    if jitter.is_mirrored:
        heat, distances = heat[:, ::-1], distances[:, ::-1][..., [2, 1, 0, 3]]
    return LevelAnswer(np.ascontiguousarray(heat), np.ascontiguousarray(distances))


def _moved(array: npt.NDArray[np.generic], jitter: Jitter, step: int, fill: int) -> npt.NDArray[np.generic]:
    """Return `(h, w, c)` moved by steps of so many cells; what comes in is filled."""
    result = np.full_like(array, fill)
    to, source = zip(
        *(
            _overlap(array.shape[axis], steps * step)
            for axis, steps in enumerate((jitter.down, jitter.right))
        ),
        strict=True,
    )
    result[to] = array[source]
    return result


def _overlap(size: int, by: int) -> Sequence[slice]:
    """Return where what stays in the picture goes to, and comes from, along one axis."""
    kept = max(0, size - abs(by))
    low, high = slice(0, kept), slice(size - kept, size)
    return (high, low) if by > 0 else (low, high)
