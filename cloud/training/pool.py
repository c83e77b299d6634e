"""All windows of some frames as tensors: what a training step takes its batches from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cloud.detector.head import LEVELS
from cloud.detector.loss import TargetBatch
from cloud.training.basis import KEPT_CHANNELS, find_basis, project
from cloud.training.samples import FrameSamples

_HARD_REPEATS = 2
_MOST_REPEATS = 4


@dataclass(frozen=True)
class WindowPool:
    """All windows of some frames as tensors.

    `levels` are NHWC float16, along `bases (kept, channels)` of the trunk's own channels; `targets` are NCHW
    float32; `frame_of (n,)` are the numbers of the frames; `repeats (n,)` is how often a window comes in one
    round.
    """

    levels: tuple[torch.Tensor, ...]
    bases: tuple[torch.Tensor, ...]
    targets: TargetBatch
    frame_of: torch.Tensor
    repeats: torch.Tensor

    def batch(self, indices: torch.Tensor) -> tuple[list[torch.Tensor], TargetBatch]:
        """Return these windows: features NCHW float32 (channels last in memory), and targets."""
        levels = [level[indices].float().permute(0, 3, 1, 2) for level in self.levels]
        targets = self.targets
        return levels, TargetBatch(
            targets.heat[indices],
            targets.distances[indices],
            targets.box_weight[indices],
            targets.trusted[indices],
        )

    def of_frames(self, frames: Sequence[int]) -> torch.Tensor:
        """Return the numbers of the windows of these frames, each as often as it is to come.

        Those of which nothing is known are left out, unless there are no others.
        """
        own = torch.isin(self.frame_of, torch.tensor(list(frames))).nonzero()[:, 0]
        known = self.targets.trusted[own].flatten(1).any(1)
        own = own[known] if bool(known.any()) else own
        return own.repeat_interleave(self.repeats[own])

    def of_subnets(self, subnets: Sequence[int]) -> WindowPool:
        """Return the same windows with the levels of these subnets only."""
        chosen = levels_of(subnets)
        return replace(
            self,
            levels=tuple(self.levels[i] for i in chosen),
            bases=tuple(self.bases[i] for i in chosen),
        )


def levels_of(subnets: Sequence[int]) -> list[int]:
    """Return the numbers of the levels of these subnets."""
    return [subnet * LEVELS + level for subnet in subnets for level in range(LEVELS)]


def pool_windows(samples: Sequence[FrameSamples]) -> WindowPool:
    """Stack the windows of all frames, along bases that are found here."""
    windows = [window for sample in samples for window in sample.windows]
    levels, bases = [], []
    for index in range(len(windows[0].levels)):
        level = torch.from_numpy(np.stack([window.levels[index] for window in windows]))
        bases.append(find_basis(level, KEPT_CHANNELS[index % LEVELS]))
        levels.append(project(level, bases[-1]))
    frame_of = torch.tensor([number for number, sample in enumerate(samples) for _ in sample.windows])
    targets = stack_targets(samples)
    hard = torch.tensor([not sample.frame.boxes for sample in samples])
    return WindowPool(
        tuple(levels), tuple(bases), targets, frame_of, count_repeats(targets.heat, hard[frame_of])
    )


def stack_targets(samples: Sequence[FrameSamples]) -> TargetBatch:
    """Return the targets of all windows of all frames."""
    windows = [window for sample in samples for window in sample.windows]
    parts = [
        torch.from_numpy(np.stack([getattr(window.targets, name) for window in windows])).permute(0, 3, 1, 2)
        for name in ("heat", "distances", "box_weight", "trusted")
    ]
    return TargetBatch(*(part.contiguous() for part in parts))


def count_repeats(heat: torch.Tensor, hard: torch.Tensor) -> torch.Tensor:
    """Return how often each window comes in one round, `(n,)`.

    Windows with an object of a rare class come more often, by the square root of how much rarer it is; so do
    those of frames in which a person says there is nothing, where a detector was or may be wrong.

    Args:
        heat: `(n, classes, h, w)`; 1 at centres of objects.
        hard: `(n,)`, whether a person says that there is nothing here.
    """
    has = heat.eq(1.0).flatten(2).any(2)
    count = has.sum(0).clamp(min=1)
    rarity = (count.max() / count).sqrt().clamp(max=_MOST_REPEATS)
    by_class = (has * rarity).amax(1).round().clamp(min=1)
    return torch.maximum(by_class, hard * _HARD_REPEATS).long()
