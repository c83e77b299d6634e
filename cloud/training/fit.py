"""Labelled frames in, full detector out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from cloud.datasets.split import FEW_FRAMES, Split, folds, hold_out
from cloud.detector.full import FullDetector
from cloud.detector.head import LEVELS
from cloud.detector.spec import DetectorSpec, Quality, SubnetUse
from cloud.errors import InputError, TrainingError
from cloud.subnets.features import shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_name
from cloud.training.cache import DiskCache, NoCache
from cloud.training.config import CancelledError, Progress, TrainConfig
from cloud.training.learn import LearnPlan
from cloud.training.pool import pool_windows
from cloud.training.reporter import Reporter
from cloud.training.runs import CHECKPOINTS, Chosen, Pace, Run, carry_out, choose
from cloud.training.samples import FrameSamples, SamplePlan, frame_samples, look_at_frames
from cloud.training.threshold import DEFAULT_THRESHOLD
from cloud.training.views import tile_sizes
from edge_agent.clock import Clock, SystemClock
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import LabelSpec

logger = logging.getLogger(__name__)

_LOOK_SHARE = 0.45
_LEAST_VIEWS = 2
_LEAST_LEARN_S = 1.0
_LONG_SIDES_PX = (320, 416, 512, 640)
_LEAST_SIDE_PX = 128
_OBJECT_PX = 32
_GRID = 2
_LEAST_TILE_PX = 128
_MOST_OF_TILE = 0.5
_WINDOWS = {1: 4, 2: 2}
"""Windows of a tile, by tiles a side."""


@dataclass(frozen=True)
class TrainResult:
    """What training gave.

    Attributes:
        detector: Ready to save and to use; its thresholds are the recommended ones.
        quality: On frames it did not learn from (`how` says which kind), also in the spec; none when there
            was only one frame.
        seconds: From the call to the result.
        views: How many views of the frames were looked at.
        steps: How many steps the run that made the detector had planned.
    """

    detector: FullDetector
    quality: Quality | None
    seconds: float
    views: int
    steps: int


def fit(
    frames: Sequence[LabelledFrame],
    classes: Sequence[str],
    config: TrainConfig,
    progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    *,
    clock: Clock | None = None,
) -> TrainResult:
    """Teach a detector from labelled frames.

    Below 30 frames all of them are learned from, and cross-validation says how well that works; from 30 on a
    run of frames in time is held out.

    Args:
        frames: Whole, partial and empty frames, each picture once.
        classes: What to find, by display name; the order of the network's outputs.
        config: Settings.
        progress: Told where training stands, from the calling thread.
        cancelled: Asked several times a second.
        clock: For the budget and the report.

    Raises:
        TrainingError: These examples do not give a detector: no frames, a class without boxes, a loss that is
        not finite.
        InputError: A picture cannot be read or comes twice.
        CancelledError: `cancelled` said so.
    """
    clock = clock or SystemClock()
    start_s = clock.monotonic_s()
    check_examples(frames, classes)
    subnets = [subnet_by_name(name) for name in config.subnets]
    spec = first_spec(frames, classes, config, subnets)
    plan = plan_samples(frames, classes, spec, config)
    reporter = Reporter(progress, clock, views=len(frames) * (plan.views + 1), threads=config.threads)
    with one_thread_each():
        samples = look(frames, plan, config, subnets, reporter, cancelled, clock)
        pool = pool_windows(samples)
        samples = [sample.without_windows() for sample in samples]
        runs = plan_runs(frames, pool.frame_of.tolist(), config)
        reporter.learning(sum(run.plan.steps for run in runs))
        pace = Pace(clock, seconds_to_learn(config.budget_s, clock.monotonic_s() - start_s))
        lessons = carry_out(runs, pool, len(classes), config.threads, pace, reporter.learned, cancelled)
        reporter.checking()
        best = choose(spec, runs, lessons, samples)
    detector = FullDetector(spec_of(spec, best), best.lesson.head, tuple(frames))
    seconds = clock.monotonic_s() - start_s
    logger.info("taught %s from %d frames in %.1f s", ", ".join(classes), len(frames), seconds)
    return TrainResult(detector, best.quality, seconds, sum(one.views for one in samples), runs[0].plan.steps)


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
    views = max(1, min(config.views_per_frame, config.max_views // len(frames)))
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
    if len(frames) >= FEW_FRAMES:
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


def seconds_to_learn(budget_s: float, spent_s: float) -> float:
    """Return how long learning may take once looking took `spent_s`.

    On a busy machine looking alone may take the whole budget. Learning keeps its share even then: a detector
    that comes later is better than one that has hardly learned.
    """
    return max(_LEAST_LEARN_S, budget_s * (1 - _LOOK_SHARE), budget_s - spent_s)


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
    )


def spec_of(spec: DetectorSpec, chosen: Chosen) -> DetectorSpec:
    """Return the spec with what training found: gates, thresholds and quality."""
    gates = chosen.lesson.gates
    uses = tuple(
        SubnetUse(ref=use.ref, gates=gates[i * LEVELS : (i + 1) * LEVELS])
        for i, use in enumerate(spec.subnets)
    )
    spec = spec.model_copy(update={"subnets": uses})
    if chosen.quality is None:
        return spec
    labels = tuple(
        label.model_copy(update={"threshold": chosen.quality.per_class[label.name].threshold})
        for label in spec.labels
    )
    return spec.model_copy(update={"labels": labels, "quality": chosen.quality})


def look(
    frames: Sequence[LabelledFrame],
    plan: SamplePlan,
    config: TrainConfig,
    subnets: Sequence[SubnetManifest],
    reporter: Reporter,
    cancelled: Callable[[], bool],
    clock: Clock,
) -> list[FrameSamples]:
    """Look at all views of all frames with all subnets; the result is in the order of `frames`.

    Raises:
        InputError: A picture cannot be read.
        CancelledError: `cancelled` said so.
    """
    cache = DiskCache(config.cache_dir, config.cache_bytes) if config.cache_dir else NoCache()
    extractors = [shared_extractor(subnet) for subnet in subnets]
    by_source = {frame.source: frame for frame in frames}
    start_s, finished = clock.monotonic_s(), 0

    def refuse_if_cancelled() -> None:
        if cancelled():
            message = "training was cancelled"
            raise CancelledError(message)

    def pictures() -> Iterator[tuple[LabelledFrame, Rgb]]:
        for source, rgb in read_pictures(by_source):
            refuse_if_cancelled()
            reporter.read(source.name)
            yield by_source[source], rgb

    def looked(count: int) -> None:
        nonlocal finished
        finished = count
        refuse_if_cancelled()
        reporter.looked(count, len(frames))

    def enough(views: int) -> bool:
        """Tell whether a frame must do with so many views, or looking would take too long altogether."""
        spent = (clock.monotonic_s() - start_s) / max(1e-3, config.budget_s * _LOOK_SHARE)
        return views >= _LEAST_VIEWS and spent > (finished + config.threads) / len(frames)

    def look_at(frame: LabelledFrame, rgb: Rgb) -> FrameSamples:
        return frame_samples(frame, rgb, plan, extractors, cache, enough)

    samples = {one.frame.source: one for one in look_at_frames(pictures(), config.threads, look_at, looked)}
    if isinstance(cache, DiskCache):
        cache.trim()
    return [samples[frame.source] for frame in frames]


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let torch and OpenCV use one thread a call: on busy cores more are many times slower."""
    import cv2

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
