"""A detector that knows some more frames: what follows the adapters learns on, all before it stays.

The adapters are most of a detector's weights. While they stand still, the features of a frame are one map of
the head's own width, a step is several times shorter, and a correction changes less than 100 kB.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cloud.datasets.frames import LabelledFrame
from cloud.detector.full import FullDetector
from cloud.detector.head import AnchorFreeHead
from cloud.errors import TrainingError
from cloud.training.config import Progress, TrainConfig
from cloud.training.fit import TrainResult
from cloud.training.learn import LearnPlan, checked, teach
from cloud.training.look import Watch, look
from cloud.training.plan import check_examples, plan_samples
from cloud.training.pool import WindowPool, count_repeats, stack_targets
from cloud.training.reporter import Reporter
from cloud.training.samples import FrameSamples
from compress.threads import one_thread_each
from edge_agent.clock import Clock, SystemClock

UPDATE_STEPS = 48
UPDATE_RATE = 1.5e-3
"""Well below that of a first training: what is known shall stay known."""

_MOST_REPEATS = 8
_CHUNK_WINDOWS = 64


class HeadTail(nn.Module):
    """What follows the adapters of a head: takes their sum, returns logits and distances, NCHW."""

    def __init__(self, head: AnchorFreeHead) -> None:
        super().__init__()
        self.mix, self.block, self.scores, self.boxes = head.mix, head.block, head.scores, head.boxes

    def forward(self, features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and distances of one level `(n, width, h, w)`."""
        hidden = self.block(self.mix(features[0]))
        return self.scores(hidden), functional.relu(self.boxes(hidden))


def update(
    detector: FullDetector,
    frames: Sequence[LabelledFrame],
    new_frames: Sequence[LabelledFrame],
    config: TrainConfig,
    progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    *,
    clock: Clock | None = None,
) -> TrainResult:
    """Teach a detector some more frames.

    Its adapters and its thresholds stay; nothing is held out, so there is no quality.

    Args:
        detector: Where to start from.
        frames: What it has learned from; it would forget what is not shown again.
        new_frames: What is new, or newly labelled; none of them is among `frames`.
        config: Settings; `ref` names the result.
        progress: Told where it stands, from the calling thread.
        cancelled: Asked several times a second.
        clock: For the budget and the report.

    Raises:
        TrainingError: These examples do not give a detector.
        InputError: A picture cannot be read or comes twice.
        CancelledError: `cancelled` said so.
    """
    clock = clock or SystemClock()
    start_s = clock.monotonic_s()
    everything = [*frames, *new_frames]
    classes = [label.name for label in detector.labels]
    check_examples(everything, classes)
    plan = plan_samples(everything, classes, detector.spec, config)
    reporter = Reporter(progress, clock, views=len(everything) * (plan.views + 1), threads=config.threads)
    watch = Watch(reporter, cancelled, clock)
    with one_thread_each():
        samples = look(everything, plan, config, detector.manifests, watch)
        maps = [fuse_windows(full_head(detector), one) for one in samples]
        new = set(range(len(frames), len(everything)))
        return teach_tail(detector, samples, maps, new, config, watch, start_s)


def full_head(detector: FullDetector) -> AnchorFreeHead:
    """Return the head of a detector of the full form.

    Raises:
        TrainingError: It has the light form, which has no adapters of its own.
    """
    if isinstance(detector.taught_head, AnchorFreeHead):
        return detector.taught_head
    message = "a light detector is not updated but taught anew: that takes no longer"
    raise TrainingError(message)


def fuse_windows(head: AnchorFreeHead, samples: FrameSamples) -> torch.Tensor:
    """Return what the adapters make of all windows of a frame, `(n, rows, columns, width) float16`."""
    parts = []
    for start in range(0, len(samples.windows), _CHUNK_WINDOWS):
        some = samples.windows[start : start + _CHUNK_WINDOWS]
        levels = [np.stack([window.levels[i] for window in some]) for i in range(len(some[0].levels))]
        with torch.inference_mode():
            inputs = [torch.from_numpy(level).float().permute(0, 3, 1, 2) for level in levels]
            parts.append(head.fuse(inputs).permute(0, 2, 3, 1).half())
    # A clone, because what inference mode made cannot be learned from.
    return torch.cat(parts).clone()


def teach_tail(
    detector: FullDetector,
    samples: Sequence[FrameSamples],
    maps: Sequence[torch.Tensor],
    new: set[int],
    config: TrainConfig,
    watch: Watch,
    start_s: float,
) -> TrainResult:
    """Teach what follows the adapters.

    Args:
        detector: Where to start from; it stays as it is.
        samples: Of all frames, for their targets.
        maps: Of all frames, from `fuse_windows`.
        new: Numbers of the frames that count more.
        config: Settings.
        watch: Of this training.
        start_s: When it began, by the watch's clock.

    Raises:
        TrainingError: The loss is not finite.
        CancelledError: The watch said so.
    """
    pool = pool_maps(samples, maps, new)
    head = copy.deepcopy(full_head(detector)).requires_grad_(requires_grad=True)
    head.adapters.requires_grad_(requires_grad=False)
    note_loss = watch.reporter.note_loss
    plan = LearnPlan(UPDATE_STEPS, config.batch, UPDATE_RATE, config.seed, note_loss=note_loss)
    watch.reporter.learning(plan.steps)

    def keep_going(progress: float) -> float:
        watch.refuse_if_cancelled()
        watch.reporter.learned(progress)
        return progress

    def keep() -> AnchorFreeHead:
        return checked(copy.deepcopy(head).requires_grad_(requires_grad=False).eval())

    generator = torch.Generator().manual_seed(config.seed)
    windows = pool.of_frames(range(len(samples)))
    taught = teach(HeadTail(head), pool, windows, plan, keep_going, keep, None, generator)[-1]
    spec = detector.spec.model_copy(update={"detector": config.ref, "quality": None, "weights_sha256": None})
    seconds = watch.clock.monotonic_s() - start_s
    frames = tuple(one.frame for one in samples)
    result = replace(detector, spec=spec, taught_head=taught, examples=frames)
    return TrainResult(result, None, seconds, sum(one.views for one in samples), plan.steps)


def pool_maps(samples: Sequence[FrameSamples], maps: Sequence[torch.Tensor], new: set[int]) -> WindowPool:
    """Return all windows as one level; those of new frames come about as often as all others together."""
    frame_of = torch.tensor([number for number, own in enumerate(maps) for _ in own])
    targets = stack_targets(samples)
    hard = torch.tensor([not sample.frame.boxes for sample in samples])
    is_new = torch.tensor([number in new for number in range(len(samples))])[frame_of]
    more = max(1, min(_MOST_REPEATS, round(int((~is_new).sum()) / max(1, int(is_new.sum())))))
    repeats = count_repeats(targets.heat, hard[frame_of]) * torch.where(is_new, more, 1)
    return WindowPool((torch.cat(list(maps)),), (), targets, frame_of, repeats)
