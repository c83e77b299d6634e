"""Teaches presence from whole-frame tags: logistic regression on pooled, frozen features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from cloud.datasets.split import folds
from cloud.detector.full import FullDetector
from cloud.detector.presence import PresenceHead, pool
from cloud.detector.spec import DetectorSpec, Quality, SubnetUse
from cloud.errors import TrainingError
from cloud.subnets.features import FeatureExtractor, shared_extractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.registry import subnet_by_name
from cloud.training.config import CancelledError, Progress, TrainConfig
from cloud.training.evaluate import AnsweredFrame, measure
from cloud.training.fit import TrainResult
from cloud.training.threshold import DEFAULT_THRESHOLD
from cloud.training.views import View, draw_view, plain_view
from edge_agent.clock import Clock, SystemClock
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.base import WHOLE
from edge_agent.wire.detection import Detection
from edge_agent.wire.labels import slugify
from edge_agent.wire.manifest import LabelSpec

INPUT_PX = 256
SUBNET = "efficientnet_lite0"
LEAST_FRAMES = 3

_VIEWS = 6
_WEIGHT_DECAY = 3e-3
_MAX_ITERATIONS = 60


def fit_presence(
    frames: Sequence[LabelledFrame],
    classes: Sequence[str],
    config: TrainConfig,
    progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    *,
    clock: Clock | None = None,
) -> TrainResult:
    """Teach a detector that says whether something is in a picture, not where.

    Args:
        frames: From `frames_of_tags`; those without boxes show none of the classes.
        classes: What to tell, by display name.
        config: Settings; the seed decides the views.
        progress: Told where training stands.
        cancelled: Asked before each picture.
        clock: For the report.

    Raises:
        TrainingError: A class has too few frames with it, or too few without.
        InputError: A picture cannot be read.
        CancelledError: `cancelled` said so.
    """
    clock = clock or SystemClock()
    start_s = clock.monotonic_s()
    truth = _truth(frames, classes)
    subnet = subnet_by_name(SUBNET)
    looked = _look(frames, shared_extractor(subnet), config, progress, cancelled)
    pooled = np.stack([looked[number] for number in range(len(frames))])
    spec = _spec(classes, config, subnet)
    progress(Progress("learning", 0.8, "learning"))
    quality = _cross_validated(spec, frames, pooled, truth)
    head = taught_head(pooled, truth, subnet)
    labels = tuple(
        label.model_copy(update={"threshold": quality.per_class[label.name].threshold})
        for label in spec.labels
    )
    spec = spec.model_copy(update={"labels": labels, "quality": quality})
    seconds = clock.monotonic_s() - start_s
    return TrainResult(
        FullDetector(spec, head, tuple(frames)), quality, seconds, len(frames) * _VIEWS, _MAX_ITERATIONS
    )


def _truth(frames: Sequence[LabelledFrame], classes: Sequence[str]) -> Float32:
    """Return `(frames, classes) float32`: 1 where a class is in a frame."""
    truth = np.array(
        [[float(any(box.label == name for box in frame.boxes)) for name in classes] for frame in frames],
        np.float32,
    ).reshape(len(frames), len(classes))
    for name, column in zip(classes, truth.T, strict=True):
        with_it, without = int(column.sum()), int(len(column) - column.sum())
        if min(with_it, without) < LEAST_FRAMES:
            message = (
                f"{name!r} is tagged on {with_it} frames and absent from {without}: "
                f"give at least {LEAST_FRAMES} of each ('nothing here' is absent)"
            )
            raise TrainingError(message)
    return truth


def _look(
    frames: Sequence[LabelledFrame],
    extractor: FeatureExtractor,
    config: TrainConfig,
    progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
) -> dict[int, Float32]:
    """Return the pooled features `(views, channels)` of each frame, the plain view first."""
    number_of = {frame.source: number for number, frame in enumerate(frames)}
    looked: dict[int, Float32] = {}
    for source, rgb in read_pictures(number_of):
        if cancelled():
            message = "training was cancelled"
            raise CancelledError(message)
        random = np.random.default_rng([config.seed, number_of[source]])
        views = np.stack([draw_view(view, rgb) for view in _views(rgb, random)])
        looked[number_of[source]] = _pooled(extractor, views)
        share = len(looked) / len(frames)
        progress(Progress("looking", 0.8 * share, f"looked at {len(looked)} of {len(frames)} frames"))
    return looked


def _views(rgb: Rgb, random: np.random.Generator) -> Iterator[View]:
    """Yield the plain view and some in other light and mirrored; nothing is cut away."""
    plain = plain_view(INPUT_PX, INPUT_PX, (rgb.shape[1], rgb.shape[0]))
    yield plain
    for number in range(1, _VIEWS):
        yield replace(
            plain,
            mirrored=number % 2 == 1,
            contrast=float(random.uniform(0.75, 1.3)),
            brightness=float(random.uniform(-25, 25)),
        )


def _pooled(extractor: FeatureExtractor, pixels: Rgb) -> Float32:
    levels = [torch.from_numpy(level).permute(0, 3, 1, 2) for level in extractor.features(pixels)]
    return np.asarray(pool(levels)[:, :, 0, 0].numpy(), np.float32)


def taught_head(pooled: Float32, truth: Float32, subnet: SubnetManifest) -> PresenceHead:
    """Return a head fitted to frames.

    Args:
        pooled: `(frames, views, channels) float32`.
        truth: `(frames, classes) float32`, 0 or 1.
        subnet: Whose features these are.
    """
    views = pooled.shape[1]
    features = torch.from_numpy(pooled.reshape(-1, pooled.shape[2]))
    wanted = torch.from_numpy(np.repeat(truth, views, axis=0))
    mean, spread = features.mean(0), features.std(0).clamp(min=1e-3)
    weight, bias = _regress((features - mean) / spread, wanted)
    head = PresenceHead([level.channels for level in subnet.levels], truth.shape[1])
    with torch.no_grad():
        # The scaling of the features goes into the weights.
        head.scores.weight.copy_((weight / spread)[:, :, None, None])
        head.scores.bias.copy_(bias - weight @ (mean / spread))  # type: ignore[union-attr]
    return head.eval().requires_grad_(requires_grad=False)


def _regress(features: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weights `(classes, channels)` and biases of a logistic regression, both sides weighing alike."""
    weight = torch.zeros(wanted.shape[1], features.shape[1], requires_grad=True)
    bias = torch.zeros(wanted.shape[1], requires_grad=True)
    present = wanted.sum(0)
    balance = (len(wanted) - present) / present.clamp(min=1.0)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_MAX_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = features @ weight.T + bias
        loss = functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=balance)
        loss = loss + _WEIGHT_DECAY * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def _cross_validated(
    spec: DetectorSpec, frames: Sequence[LabelledFrame], pooled: Float32, truth: Float32
) -> Quality:
    """Return how well frames are told that a head had not seen, neighbours in time left out together."""
    subnet = subnet_by_name(SUBNET)
    answered: list[AnsweredFrame] = []
    for split in folds(frames, 5):
        train, held_out = list(split.train), list(split.held_out)
        head = taught_head(pooled[train], truth[train], subnet)
        plain = torch.from_numpy(pooled[held_out, 0])[:, :, None, None]
        scores = torch.sigmoid(head.scores(plain))[:, :, 0, 0].tolist()
        for number, row in zip(held_out, scores, strict=True):
            told = tuple(
                Detection(label=label.name, score=score, box=WHOLE)
                for label, score in zip(spec.labels, row, strict=True)
            )
            answered.append(AnsweredFrame(frames[number], told))
    quality = measure(answered, [label.name for label in spec.labels])
    return quality.model_copy(update={"how": "cross_validation"})


def _spec(classes: Sequence[str], config: TrainConfig, subnet: SubnetManifest) -> DetectorSpec:
    return DetectorSpec(
        detector=config.ref,
        labels=tuple(
            LabelSpec(name=name, slug=slugify(name), threshold=DEFAULT_THRESHOLD) for name in classes
        ),
        input_width_px=INPUT_PX,
        input_height_px=INPUT_PX,
        subnets=(SubnetUse(ref=subnet.ref),),
        architecture="presence",
    )
