"""The loop that teaches a head from windows: plain functions, one thread."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cloud.detector.head import AnchorFreeHead
from cloud.detector.loss import TargetBatch, detection_loss
from cloud.errors import TrainingError
from cloud.training.optimize import FlatAdamW, one_cycle
from cloud.training.samples import FrameSamples

_CHECK_STEPS = 16
_ASTRAY = (
    "training went astray: its numbers are no longer finite; check the labels, or lower the learning rate"
)


@dataclass(frozen=True)
class WindowPool:
    """All windows of some frames as tensors.

    `levels` are NHWC float16, each channel multiplied by its level's `scales (channels,)` to a spread of 1;
    `targets` are NCHW float32; `frame_of (n,)` are the numbers of the frames.
    """

    levels: tuple[torch.Tensor, ...]
    scales: tuple[torch.Tensor, ...]
    targets: TargetBatch
    frame_of: torch.Tensor

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
        """Return the indices of the windows of these frames."""
        return torch.isin(self.frame_of, torch.tensor(list(frames))).nonzero()[:, 0]


def pool_windows(samples: Sequence[FrameSamples]) -> WindowPool:
    """Stack the windows of all frames."""
    windows = [window for sample in samples for window in sample.windows]
    levels = tuple(
        torch.from_numpy(np.stack([window.levels[i] for window in windows]))
        for i in range(len(windows[0].levels))
    )
    parts = [
        torch.from_numpy(np.stack([getattr(window.targets, name) for window in windows])).permute(0, 3, 1, 2)
        for name in ("heat", "distances", "box_weight", "trusted")
    ]
    scales = tuple(_channel_scales(level) for level in levels)
    for level, scale in zip(levels, scales, strict=True):
        level.mul_(scale)
    frame_of = [number for number, sample in enumerate(samples) for _ in sample.windows]
    return WindowPool(
        levels, scales, TargetBatch(*(part.contiguous() for part in parts)), torch.tensor(frame_of)
    )


@dataclass(frozen=True)
class LearnPlan:
    """How long and how fast to learn; at each progress in `checkpoints`, ascending, a copy is kept."""

    steps: int
    batch: int
    learning_rate: float
    seed: int
    checkpoints: tuple[float, ...] = (1.0,)
    head_channels: int = 64


def mean_distances(pool: WindowPool) -> list[float]:
    """Return the mean distances (left, top, right, bottom, in strides) over all cells that claim a box."""
    weight = pool.targets.box_weight * pool.targets.trusted
    total = (pool.targets.distances * weight).sum((0, 2, 3))
    mean: list[float] = (total / weight.sum().clamp(min=1e-6)).tolist()
    return mean


def _channel_scales(level: torch.Tensor) -> torch.Tensor:
    """Return 1 / standard deviation of each channel, `(channels,) float32`, from a sample of the windows."""
    some = level[:: max(1, len(level) // 100)].float().flatten(0, 2)
    variance = some.square().mean(0) - some.mean(0).square()
    return 1 / variance.clamp(min=0.0).sqrt().clamp(min=0.05)


def learn(
    pool: WindowPool,
    frames: Sequence[int],
    classes: int,
    plan: LearnPlan,
    keep_going: Callable[[float], float],
) -> list[AnchorFreeHead]:
    """Teach a new head from the windows of some frames.

    Args:
        pool: Windows of all frames.
        frames: Numbers of the frames to learn from.
        classes: How many classes there are.
        plan: How long, how fast, and when to keep a copy.
        keep_going: Called with the progress 0..1 before each step, returns the progress that the schedule
            shall have; 1 ends the training. It may raise to cancel.

    Returns:
        A head for each of the plan's checkpoints, in eval mode.

    Raises:
        TrainingError: The loss is not a finite number.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    head = AnchorFreeHead([level.shape[3] for level in pool.levels], classes, plan.head_channels)
    head.start_from(mean_distances(pool), generator)
    head = head.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = FlatAdamW(head)
    batches = _batches(pool.of_frames(frames), plan.batch, generator)
    waiting, kept = list(plan.checkpoints), []
    for step in range(plan.steps):
        progress = keep_going(step / plan.steps)
        while waiting and progress >= waiting[0] and waiting[0] < 1.0:
            kept.append(_folded(head, pool.scales))
            del waiting[0]
        if progress >= 1.0:
            break
        loss = _loss(head, pool, next(batches))
        if step % _CHECK_STEPS == 0 and not torch.isfinite(loss):
            raise TrainingError(_ASTRAY)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step(one_cycle(progress, plan.learning_rate))
    return kept + [_folded(head, pool.scales) for _ in waiting]


def _batches(indices: torch.Tensor, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield batches without end; every window once before any comes again."""
    order = torch.empty(0, dtype=torch.long)
    while True:
        while len(order) < size:
            order = torch.cat([order, indices[torch.randperm(len(indices), generator=generator)]])
        yield order[:size]
        order = order[size:]


def _loss(head: AnchorFreeHead, pool: WindowPool, indices: torch.Tensor) -> torch.Tensor:
    levels, targets = pool.batch(indices)
    logits, distances = head(levels)
    return detection_loss(logits, distances, targets).mean()


def _folded(trained: AnchorFreeHead, scales: Sequence[torch.Tensor]) -> AnchorFreeHead:
    """Return a copy with the scaling of the features inside the adapters' weights."""
    head = copy.deepcopy(trained).requires_grad_(requires_grad=False)
    for adapter, scale in zip(head.adapters, scales, strict=True):
        if isinstance(adapter, nn.Conv2d):
            adapter.weight.mul_(scale[None, :, None, None])
    if not all(bool(torch.isfinite(value).all()) for value in head.state_dict().values()):
        raise TrainingError(_ASTRAY)
    return head.eval()
