"""Recovery: a student learns to answer as the full detector does (distillation, Hinton et al. 2015).

Two workers share the parameters, each takes half of a batch, and their gradients are summed in a fixed order:
the same seed gives the same student, as long as time does not cut in. A checkpoint now and then lets a killed
recovery go on where it was.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from compress.capture import normalised
from compress.errors import ExportError
from compress.jitter import Jitter, draw, jittered
from compress.lessons import Lessons
from compress.teacher import THREADS, Answer
from edge_agent.clock import Clock

BOX_WEIGHT = 2.0

_BOX_WEIGHT_OF_STUDENTS = 0.25
"""A student's boxes soon lie well enough; what differs from the full detector is its scores."""

_MAX_GRADIENT_NORM = 10.0
_WARM_UP_SHARE = 0.15
_WEIGHT_DECAY = 1e-4
_LEAST_HEAT = 0.1
_NOTE_STEPS = 5


@dataclass(frozen=True)
class RecoverPlan:
    """How long and how fast.

    Attributes:
        steps: At most so many.
        budget_s: After this it ends early, the rate brought down in time.
        batch: Views a step.
        learning_rate: Peak of the one-cycle schedule.
        seed: Of the order of the views.
        checks: How often, evenly over the second half, the student is checked; the best one is kept.
        checkpoint_s: How often what was learned so far is kept.
    """

    steps: int = 1000
    budget_s: float = 240.0
    batch: int = 8
    learning_rate: float = 1e-3
    seed: int = 0
    checks: int = 3
    checkpoint_s: float = 15.0


@dataclass(frozen=True)
class Standing:
    """Where a recovery stands: `fraction` 0..1, the newest loss, and seconds left."""

    fraction: float
    loss: float
    seconds_left: float


def recover(
    network: nn.Module,
    lessons: Lessons,
    plan: RecoverPlan,
    check: Callable[[nn.Module], float],
    note: Callable[[Standing], None],
    clock: Clock,
    checkpoint: Path | None = None,
) -> nn.Module:
    """Return a copy of a network that learned from the full detector's answers.

    Args:
        network: In eval mode; stays as it is.
        lessons: Of its input size.
        plan: How long and how fast.
        check: Says how good a network is; the best one is what comes back.
        note: Told now and then how far it is; may raise to stop.
        clock: For the budget.
        checkpoint: Where to keep what was learned so far; gone when it is finished.

    Raises:
        ExportError: The loss is not a finite number.
    """
    run = _Run(network, plan, checkpoint)
    start_s = clock.monotonic_s() - run.spent_s
    saved_s = run.spent_s
    marks = [1 - 0.5 * i / plan.checks for i in range(plan.checks)][::-1] if plan.checks else []
    marks = [mark for mark in marks if mark > run.progress]
    batches = _batches(len(lessons.pixels), plan, run.step)
    with ThreadPoolExecutor(THREADS) as pool:
        while run.progress < 1.0:
            loss = run.learn(lessons, next(batches), pool)
            run.spent_s = clock.monotonic_s() - start_s
            run.progress = min(1.0, max(run.step / plan.steps, run.spent_s / plan.budget_s))
            while marks and run.progress >= marks[0]:
                run.judge(check)
                del marks[0]
            if run.step % _NOTE_STEPS == 1:
                left_s = run.spent_s * (1 - run.progress) / run.progress
                note(Standing(run.progress, loss, left_s))
            if checkpoint is not None and run.spent_s - saved_s > plan.checkpoint_s:
                run.save(checkpoint)
                saved_s = run.spent_s
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return run.best_network()


class _Run:
    """The network that learns, its optimizer, and the best state so far."""

    def __init__(self, network: nn.Module, plan: RecoverPlan, checkpoint: Path | None) -> None:
        self._network = copy.deepcopy(network).eval().requires_grad_(requires_grad=True)
        self._parameters = list(self._network.parameters())
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=_WEIGHT_DECAY
        )
        self._rate = plan.learning_rate
        self._best: tuple[float, dict[str, torch.Tensor]] | None = None
        self.step, self.spent_s, self.progress = 0, 0.0, 0.0
        if checkpoint is not None and checkpoint.is_file():
            self._load(checkpoint)

    def learn(self, lessons: Lessons, batch: Sequence[tuple[int, Jitter]], pool: ThreadPoolExecutor) -> float:
        """Take one step; return the loss.

        Raises:
            ExportError: The loss is not finite.
        """
        parts = [batch[worker::THREADS] for worker in range(THREADS)]
        results = list(pool.map(lambda part: self._gradients(lessons, part), parts))
        loss = sum(loss for loss, _ in results) / len(batch)
        if not math.isfinite(loss):
            message = f"recovery went astray after {self.step} steps: the loss is not a finite number"
            raise ExportError(message)
        for parameter, *gradients in zip(self._parameters, *(found for _, found in results), strict=True):
            given = [gradient for gradient in gradients if gradient is not None]
            parameter.grad = sum(given[1:], given[0]) / len(batch) if given else None
        nn.utils.clip_grad_norm_(self._parameters, _MAX_GRADIENT_NORM)
        for group in self._optimizer.param_groups:
            group["lr"] = one_cycle(self.progress, self._rate)
        self._optimizer.step()
        self.step += 1
        return loss

    def _gradients(
        self, lessons: Lessons, part: Sequence[tuple[int, Jitter]]
    ) -> tuple[float, list[torch.Tensor | None]]:
        """Return the summed loss and gradients of some views, one by one: that is quickest on a core."""
        total = 0.0
        sums: list[torch.Tensor | None] = [None] * len(self._parameters)
        torch.set_num_threads(1)
        for number, jitter in part:
            picture, answer = _lesson(lessons, number, jitter)
            with torch.enable_grad():
                loss = distillation_loss(self._network(picture), answer, _BOX_WEIGHT_OF_STUDENTS)
                found = torch.autograd.grad(loss, self._parameters, allow_unused=True)
            total += float(loss.detach())
            sums = [_plus(before, more) for before, more in zip(sums, found, strict=True)]
        return total, sums

    def judge(self, check: Callable[[nn.Module], float]) -> None:
        """Keep this state if it is the best one."""
        worth = check(self._network)
        if self._best is None or worth >= self._best[0]:
            self._best = worth, copy.deepcopy(self._network.state_dict())

    def best_network(self) -> nn.Module:
        """Return the network in its best state."""
        if self._best is not None:
            self._network.load_state_dict(self._best[1])
        return self._network.requires_grad_(requires_grad=False)

    def save(self, file: Path) -> None:
        """Write all that is needed to go on; the file appears whole or not at all."""
        state = {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
            "standing": (self.step, self.spent_s, self.progress),
        }
        partial = file.with_name(file.name + ".part")
        torch.save(state, partial)
        partial.replace(file)

    def _load(self, file: Path) -> None:
        state = torch.load(file, map_location="cpu", weights_only=True)
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._best = state["best"]
        self.step, self.spent_s, self.progress = state["standing"]


def distillation_loss(
    outputs: Sequence[torch.Tensor],
    answer: Sequence[tuple[torch.Tensor, torch.Tensor]],
    box_weight: float = BOX_WEIGHT,
) -> torch.Tensor:
    """Return how far outputs are from the full detector's answer to one picture.

    Quality focal loss on the heat (Li et al. 2020), GIoU on the boxes where the full detector is warm.

    Args:
        outputs: Per level scores `(1, h, w, classes)` logits, then boxes `(1, h, w, 4)` in strides.
        answer: Per level heat `(h, w, classes)` and distances `(h, w, 4)`, float32.
        box_weight: Of the boxes, beside the scores.
    """
    total = outputs[0].new_zeros(())
    for logits, boxes, (heat, distances) in zip(outputs[::2], outputs[1::2], answer, strict=True):
        cross = functional.binary_cross_entropy_with_logits(logits[0], heat, reduction="none")
        focal = (torch.sigmoid(logits[0]) - heat).abs() ** 2 * cross
        warmth = heat.amax(dim=-1)
        weight = torch.where(warmth > _LEAST_HEAT, warmth, 0.0)
        apart = giou_loss(boxes[0], distances) * weight
        total = total + focal.sum() / heat.sum().clamp(min=1.0)
        total = total + box_weight * apart.sum() / weight.sum().clamp(min=1.0)
    return total


def giou_loss(distances: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return 1 - GIoU (Rezatofighi et al. 2019) `(h, w)` of left, top, right, bottom `(h, w, 4)`."""
    low, high = torch.minimum(distances, wanted), torch.maximum(distances, wanted)
    shared = (low[..., 0] + low[..., 2]) * (low[..., 1] + low[..., 3])
    hull = (high[..., 0] + high[..., 2]) * (high[..., 1] + high[..., 3]) + 1e-6
    areas = [(one[..., 0] + one[..., 2]) * (one[..., 1] + one[..., 3]) for one in (distances, wanted)]
    union = areas[0] + areas[1] - shared + 1e-6
    return 1 - (shared / union - (hull - union) / hull)


def one_cycle(progress: float, peak: float) -> float:
    """Return the rate at `progress` 0..1: up quickly, then down along a cosine (Smith 2018)."""
    if progress < _WARM_UP_SHARE:
        return peak * max(0.05, progress / _WARM_UP_SHARE)
    rest = (progress - _WARM_UP_SHARE) / (1 - _WARM_UP_SHARE)
    return peak * max(1e-3, (1 + math.cos(math.pi * min(rest, 1.0))) / 2)


def tensors_of(answer: Answer) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return an answer as the loss takes it."""
    return [
        (
            torch.from_numpy(level.heat.astype(np.float32)),
            torch.from_numpy(level.distances.astype(np.float32)),
        )
        for level in answer
    ]


def _lesson(
    lessons: Lessons, number: int, jitter: Jitter
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
    pixels, answer = jittered(lessons.pixels[number], lessons.answers[number], jitter)
    picture = torch.from_numpy(normalised(pixels)).permute(2, 0, 1)[None]
    return picture.contiguous(), tensors_of(answer)


def _plus(before: torch.Tensor | None, more: torch.Tensor | None) -> torch.Tensor | None:
    if before is None or more is None:
        return more if before is None else before
    return before.add_(more)


def _batches(count: int, plan: RecoverPlan, first: int) -> Iterator[list[tuple[int, Jitter]]]:
    """Yield batches of view numbers and what to change, from a step on; all views come equally often."""
    random = np.random.default_rng(plan.seed)
    order: list[tuple[int, Jitter]] = []
    step = 0
    while True:
        while len(order) < plan.batch:
            order += [(number, draw(random)) for number in random.permutation(count).tolist()]
        if step >= first:
            yield order[: plan.batch]
        step += 1
        order = order[plan.batch :]
