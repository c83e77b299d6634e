"""What a training is going to do: input size, tiles, runs, steps; pure functions of the frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.split import FEW_FRAMES, Split, folds, hold_out
from cloud.detector.spec import DetectorSpec, SubnetUse
from cloud.errors import InputError, TrainingError
from cloud.subnets.manifest import SubnetManifest
from cloud.training.config import TrainConfig
from cloud.training.learn import LearnPlan
from cloud.training.runs import CHECKPOINTS, Run
from cloud.training.samples import SamplePlan
from cloud.training.threshold import DEFAULT_THRESHOLD
from cloud.training.views import tile_sizes
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import LabelSpec

_LOOK_SHARE = 0.45
_LEAST_LEARN_S = 1.0
_LONG_SIDES_PX = (224, 320, 416, 512, 640)
_LEAST_SIDE_PX = 128
_OBJECT_PX = 32
_GRID = 2
_LEAST_TILE_PX = 160
_MOST_OF_TILE = 0.5
_WHOLE_VIEWS = 2
_WINDOWS = {1: 4, 2: 2}
"""Windows of a tile, by tiles a side."""


def seconds_to_look(budget_s: float) -> float:
    """Return how long looking at the pictures may take."""
    return budget_s * _LOOK_SHARE


def seconds_to_learn(budget_s: float, spent_s: float) -> float:
    """Return how long learning may take once looking took `spent_s`.

    On a busy machine looking alone may take the whole budget. Learning keeps its share even then: a detector
    that comes later is better than one that has hardly learned.
    """
    return max(_LEAST_LEARN_S, budget_s * (1 - _LOOK_SHARE), budget_s - spent_s)


def check_examples(frames: Sequence[LabelledFrame], classes: Sequence[str]) -> None:
    """Say what is missing before any work is done.

    Raises:
        TrainingError: No frames, no classes, a class twice, or a class without a box.
        InputError: A picture comes twice.
    """
    slugs = {slugify(name) for name in classes if name.strip()}
    if not classes or len(slugs) != len(classes):
        message = f"name at least one class, each differently: got {', '.join(classes) or 'none'}"
        raise TrainingError(message)
    if not frames:
        message = "there are no labelled frames yet: label some"
        raise TrainingError(message)
    boxes = Counter(box.label for frame in frames for box in frame.boxes)
    if missing := [name for name in classes if not boxes[name]]:
        message = f"no box shows {', '.join(missing)}: draw some, or remove the class"
        raise TrainingError(message)
    pictures = Counter(frame.source for frame in frames)
    if twice := [source.name for source, count in pictures.items() if count > 1]:
        message = f"{twice[0]} is labelled twice: join its labels"
        raise InputError(message)


def first_spec(
    frames: Sequence[LabelledFrame],
    classes: Sequence[str],
    config: TrainConfig,
    subnets: Sequence[SubnetManifest],
) -> DetectorSpec:
    """Return the spec of a detector that is to be taught."""
    width_px, height_px = choose_input_size(frames, config.long_side_px)
    return DetectorSpec(
        detector=config.ref,
        labels=tuple(
            LabelSpec(name=name, slug=slugify(name), threshold=DEFAULT_THRESHOLD) for name in classes
        ),
        input_width_px=width_px,
        input_height_px=height_px,
        subnets=tuple(SubnetUse(ref=subnet.ref) for subnet in subnets),
        # Cells beside a better one are left to NMS: as peaks only, people who stand close lost their boxes
        # (AP50 on frames kept for such choices 0.967 instead of 0.940).
        peak_kernel=1,
    )


def choose_input_size(frames: Sequence[LabelledFrame], most_px: int) -> tuple[int, int]:
    """Return the (width, height), multiples of 32, of an input that fits these frames and their objects.

    The shape is that of most frames. The longer side is the smallest at which three of four objects are still
    four cells wide: large objects need no more, and are found worse when they cover more cells than the head
    sees across.

    Args:
        frames: What is to be learned from.
        most_px: The longer side at most.
    """
    aspect = float(np.median([frame.width_px / frame.height_px for frame in frames]))
    long_px = next((side for side in _LONG_SIDES_PX if _large_enough(frames, side)), most_px)
    long_px = min(long_px, most_px)
    short_px = max(_LEAST_SIDE_PX, round(long_px / max(aspect, 1 / aspect) / 32) * 32)
    return (long_px, short_px) if aspect >= 1 else (short_px, long_px)


def _large_enough(frames: Sequence[LabelledFrame], long_px: int) -> bool:
    """Tell whether three of four objects are `_OBJECT_PX` across when the frame is `long_px` long."""
    sides = [
        min((x2 - x1) * frame.width_px, (y2 - y1) * frame.height_px)
        * long_px
        / max(frame.width_px, frame.height_px)
        for frame in frames
        for x1, y1, x2, y2 in (box.box_xyxy_norm for box in frame.boxes)
    ]
    return bool(sides) and float(np.percentile(sides, 25)) >= _OBJECT_PX


def plan_samples(
    frames: Sequence[LabelledFrame], classes: Sequence[str], spec: DetectorSpec, config: TrainConfig
) -> SamplePlan:
    """Return how the frames are looked at."""
    size_px = (spec.input_width_px, spec.input_height_px)
    grid = choose_grid(frames, size_px)
    # Whole views show fewer objects each; where tiles do not fit, more of them make up for it.
    wanted = config.views_per_frame if grid > 1 else _WHOLE_VIEWS * config.views_per_frame
    views = max(1, min(wanted, config.max_views // len(frames)))
    return SamplePlan(size_px, tuple(classes), views, grid, _WINDOWS[grid], config.seed)


def choose_grid(frames: Sequence[LabelledFrame], size_px: tuple[int, int]) -> int:
    """Return how many tiles a side random inputs have: 2, but 1 where objects would not fit into tiles."""
    tile_px = np.array([min(tile_sizes(length, _GRID)) for length in size_px])
    if tile_px.min() < _LEAST_TILE_PX:
        return 1
    sides = [
        (x2 - x1, y2 - y1) for frame in frames for x1, y1, x2, y2 in (b.box_xyxy_norm for b in frame.boxes)
    ]
    fits = np.percentile(np.array(sides) * size_px, 90, axis=0) <= _MOST_OF_TILE * tile_px
    return _GRID if bool(fits.all()) else 1


def plan_runs(
    frames: Sequence[LabelledFrame], frame_of_window: Sequence[int], config: TrainConfig
) -> list[Run]:
    """Return the trainings to carry out, the one that makes the detector first."""
    everything = Split(tuple(range(len(frames))), ())
    if not config.folds:
        splits = [everything]
    elif len(frames) >= FEW_FRAMES:
        splits = [hold_out(frames)]
    elif len(frames) > 1:
        splits = [everything, *folds(frames, config.folds)]
    else:
        splits = [everything]
    windows = Counter(frame_of_window)
    return [
        Run(
            split,
            _learn_plan(
                sum(windows[n] for n in split.train), 1.0 if i == 0 else config.fold_steps_share, config
            ),
        )
        for i, split in enumerate(splits)
    ]


def _learn_plan(windows: int, share: float, config: TrainConfig) -> LearnPlan:
    steps = min(config.max_steps, max(config.min_steps, windows * config.epochs // config.batch))
    return LearnPlan(
        max(1, round(steps * share)),
        config.batch,
        config.learning_rate,
        config.seed,
        CHECKPOINTS,
        sparsity=config.sparsity if len(config.subnets) > 1 else 0.0,
    )
