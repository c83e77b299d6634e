"""Labelled frames in, full detector out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cloud.datasets.frames import LabelledFrame
from cloud.detector.full import FullDetector
from cloud.detector.head import LEVELS
from cloud.detector.spec import DetectorSpec, Quality, SubnetUse
from cloud.subnets.registry import subnet_by_name
from cloud.training.config import Progress, TrainConfig
from cloud.training.look import Watch, look
from cloud.training.plan import check_examples, first_spec, plan_runs, plan_samples, seconds_to_learn
from cloud.training.pool import pool_windows
from cloud.training.reporter import Reporter
from cloud.training.runs import Chosen, Pace, carry_out, choose
from cloud.training.samples import FrameSamples
from compress.threads import one_thread_each
from edge_agent.clock import Clock, SystemClock

logger = logging.getLogger(__name__)


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
    watch = Watch(reporter, cancelled, clock)
    with one_thread_each():
        samples = look(frames, plan, config, subnets, watch)
        return teach_from(samples, spec, config, watch, start_s)


def teach_from(
    samples: Sequence[FrameSamples], spec: DetectorSpec, config: TrainConfig, watch: Watch, start_s: float
) -> TrainResult:
    """Teach a detector from frames that have been looked at.

    Args:
        samples: Of all frames, with their windows.
        spec: Of the detector, as far as it is known before training.
        config: Settings.
        watch: Of this training.
        start_s: When it began, by the watch's clock.

    Raises:
        TrainingError: The loss is not finite.
        CancelledError: The watch said so.
    """
    clock, reporter = watch.clock, watch.reporter
    frames, classes = [one.frame for one in samples], [label.name for label in spec.labels]
    pool = pool_windows(samples)
    runs = plan_runs(frames, pool.frame_of.tolist(), config)
    runs[0] = replace(runs[0], plan=replace(runs[0].plan, note_loss=reporter.note_loss))
    reporter.learning(sum(run.plan.steps for run in runs))
    pace = Pace(clock, seconds_to_learn(config.budget_s, clock.monotonic_s() - start_s))
    lessons = carry_out(runs, pool, len(classes), config.threads, pace, reporter.learned, watch.cancelled)
    reporter.checking()
    best = choose(spec, runs, lessons, samples)
    detector = FullDetector(spec_of(spec, best), best.lesson.head, tuple(frames))
    seconds = clock.monotonic_s() - start_s
    logger.info("taught %s from %d frames in %.1f s", ", ".join(classes), len(frames), seconds)
    return TrainResult(detector, best.quality, seconds, sum(one.views for one in samples), runs[0].plan.steps)


def spec_of(spec: DetectorSpec, chosen: Chosen) -> DetectorSpec:
    """Return the spec with what training found: gates, thresholds and quality."""
    gates = chosen.lesson.gates
    if gates:
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
