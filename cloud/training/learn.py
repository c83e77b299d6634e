"""The loop that teaches a head from windows: plain functions, one thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import nn

from cloud.detector.full import TaughtHead
from cloud.detector.head import AnchorFreeHead
from cloud.detector.loss import detection_loss
from cloud.detector.spec import Block
from cloud.errors import TrainingError
from cloud.training.optimize import FlatAdamW, one_cycle
from cloud.training.pool import WindowPool
from cloud.training.teachable import TeachableHead

Kept = TypeVar("Kept")

_CHECK_STEPS = 16
_ASTRAY = (
    "training went astray: its numbers are no longer finite; check the labels, or lower the learning rate"
)


def _to_nobody(_loss: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class LearnPlan:
    """How long and how fast to learn; at each progress in `checkpoints`, ascending, a copy is kept.

    `sparsity` is the price of an open gate; 0 where there is nothing to choose from. `note_loss` is told the
    loss every few steps.
    """

    steps: int
    batch: int
    learning_rate: float
    seed: int
    checkpoints: tuple[float, ...] = (1.0,)
    head_channels: int = 64
    block: Block = "dense3"
    sparsity: float = 0.0
    note_loss: Callable[[float], None] = field(default=_to_nobody, compare=False)


@dataclass(frozen=True)
class Lesson:
    """What learning gave: a plain head in eval mode, and the gates that are inside its adapters."""

    head: TaughtHead
    gates: tuple[float, ...] = field(default=())


def mean_distances(pool: WindowPool) -> list[float]:
    """Return the mean distances (left, top, right, bottom, in strides) over all cells that claim a box."""
    weight = pool.targets.box_weight * pool.targets.trusted
    total = (pool.targets.distances * weight).sum((0, 2, 3))
    mean: list[float] = (total / weight.sum().clamp(min=1e-6)).tolist()
    return mean


def learn(
    pool: WindowPool,
    frames: Sequence[int],
    classes: int,
    plan: LearnPlan,
    keep_going: Callable[[float], float],
) -> list[Lesson]:
    """Teach a new head from the windows of some frames.

    Args:
        pool: Windows of all frames.
        frames: Numbers of the frames to learn from.
        classes: How many classes there are.
        plan: How long, how fast, and when to keep a copy.
        keep_going: Called with the progress 0..1 before each step, returns the progress that the schedule
            shall have; 1 ends the training. It may raise to cancel.

    Returns:
        A lesson for each of the plan's checkpoints.

    Raises:
        TrainingError: The loss is not a finite number.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    head = TeachableHead([level.shape[3] for level in pool.levels], classes, plan.head_channels, plan.block)
    head.start_from(mean_distances(pool), generator)

    def price() -> torch.Tensor:
        return plan.sparsity * head.open_gates().sum()

    def keep() -> Lesson:
        return Lesson(checked(head.folded(pool.bases, plan.block)), head.gate_values())

    return teach(head, pool, pool.of_frames(frames), plan, keep_going, keep, price, generator)


def teach(
    head: nn.Module,
    pool: WindowPool,
    windows: torch.Tensor,
    plan: LearnPlan,
    keep_going: Callable[[float], float],
    keep: Callable[[], Kept],
    price: Callable[[], torch.Tensor] | None,
    generator: torch.Generator,
) -> list[Kept]:
    """Lower the loss of `head` on these windows; return what `keep` gave at each checkpoint.

    Args:
        head: Takes the pool's levels and returns logits and distances, NCHW. It is changed.
        pool: All windows.
        windows: Numbers of those to learn from; one that comes twice counts twice.
        plan: How long, how fast, and when to keep a copy.
        keep_going: As in `learn`.
        keep: Makes a copy of the head.
        price: Added to the loss, none = nothing.
        generator: Of the order of the windows.

    Raises:
        TrainingError: The loss is not a finite number.
    """
    head = head.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = FlatAdamW(head)
    batches = _batches(windows, plan.batch, generator)
    waiting, kept = list(plan.checkpoints), []
    for step in range(plan.steps):
        progress = keep_going(step / plan.steps)
        while waiting and progress >= waiting[0] and waiting[0] < 1.0:
            kept.append(keep())
            del waiting[0]
        if progress >= 1.0:
            break
        loss = _loss(head, pool, next(batches))
        if price is not None:
            loss = loss + price()
        if step % _CHECK_STEPS == 0:
            plan.note_loss(_finite(loss))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step(one_cycle(progress, plan.learning_rate))
    return kept + [keep() for _ in waiting]


def _finite(loss: torch.Tensor) -> float:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(_ASTRAY)
    return value


def _batches(indices: torch.Tensor, size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield batches without end; every window once before any comes again."""
    order = torch.empty(0, dtype=torch.long)
    while True:
        while len(order) < size:
            order = torch.cat([order, indices[torch.randperm(len(indices), generator=generator)]])
        yield order[:size]
        order = order[size:]


def _loss(head: nn.Module, pool: WindowPool, indices: torch.Tensor) -> torch.Tensor:
    levels, targets = pool.batch(indices)
    logits, distances = head(levels)
    return detection_loss(logits, distances, targets).mean()


def checked(head: AnchorFreeHead) -> AnchorFreeHead:
    """Return the head, if all its numbers are finite.

    Raises:
        TrainingError: They are not.
    """
    if not all(bool(torch.isfinite(value).all()) for value in head.state_dict().values()):
        raise TrainingError(_ASTRAY)
    return head
