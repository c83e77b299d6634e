"""Teaches light heads: the neck is fixed, so its features are worked out once and steps are short."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from cloud.detector.light import LightHead, LightNeck, rounded
from cloud.training.learn import LearnPlan, mean_distances, teach
from cloud.training.pool import WindowPool, count_repeats, stack_targets
from cloud.training.samples import FrameSamples

PEAK_RATE = 1e-2
"""Of the one-cycle schedule; two small layers bear a higher rate than the full head."""

STEPS_SHARE = 2.0
"""Steps beside those of a full head; each costs about a fifth."""

_CHUNK_WINDOWS = 64


def pool_light(samples: Sequence[FrameSamples], neck: LightNeck) -> WindowPool:
    """Return all windows of all frames as the neck shows them; it has no bases."""
    windows = [window for sample in samples for window in sample.windows]
    parts: list[tuple[torch.Tensor, ...]] = []
    for start in range(0, len(windows), _CHUNK_WINDOWS):
        some = windows[start : start + _CHUNK_WINDOWS]
        levels = [np.stack([window.levels[i] for window in some]) for i in range(len(some[0].levels))]
        with torch.no_grad():
            mixed = neck([torch.from_numpy(level).float().permute(0, 3, 1, 2) for level in levels])
        parts.append(tuple(level.permute(0, 2, 3, 1).half() for level in mixed))
    levels_of_all = tuple(torch.cat(level) for level in zip(*parts, strict=True))
    frame_of = torch.tensor([number for number, sample in enumerate(samples) for _ in sample.windows])
    targets = stack_targets(samples)
    hard = torch.tensor([not sample.frame.boxes for sample in samples])
    repeats = count_repeats(targets.heat, hard[frame_of])
    return WindowPool(levels_of_all, (), targets, frame_of, repeats)


def learn_light(
    pool: WindowPool,
    frames: Sequence[int],
    classes: int,
    plan: LearnPlan,
    keep_going: Callable[[float], float],
) -> list[LightHead]:
    """Teach a new light head from the windows of some frames.

    Args:
        pool: From `pool_light`.
        frames: Numbers of the frames to learn from.
        classes: How many classes there are.
        plan: How long, how fast, and when to keep a copy; see `PEAK_RATE` and `STEPS_SHARE`.
        keep_going: As in `cloud.training.learn.learn`.

    Returns:
        A head for each of the plan's checkpoints, in eval mode, its numbers as they are stored.

    Raises:
        TrainingError: The loss is not a finite number.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    head = LightHead([level.shape[3] for level in pool.levels], classes)
    head.start_from(mean_distances(pool), generator)

    def keep() -> LightHead:
        return rounded(head)

    return teach(head, pool, pool.of_frames(frames), plan, keep_going, keep, None, generator)
