"""New heads on a trunk that is finished: what the trunk makes of the camera's pictures, and learning from it.

The trunk is the int8 one of the bundle, so that a head learns on the very maps that it will get.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from compress.errors import ExportError
from compress.protocol import Compressible, Rgb
from compress.recover import distillation_loss, one_cycle, tensors_of
from compress.teacher import Answer, Asked, Regrid, answer_of
from edge_agent.runtime.backend import Network, network_input
from edge_agent.vision.arrays import Float32
from edge_agent.vision.letterbox import letterbox
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import InputSpec, TrunkMap

_APART_EVERY = 6
_BATCH = 8
_RATE = 1e-3
_MAX_GRADIENT_NORM = 10.0
_CHECKS = 4


@dataclass(frozen=True)
class MapLesson:
    """One picture: the trunk's map `(1, h, w, channels) float32`, and the full detector's answer to it."""

    mixed: Float32
    answer: Answer


@dataclass(frozen=True)
class HeadPlan:
    """How long a head learns: `steps`, or for `budget_s`, whichever ends first."""

    steps: int = 80
    budget_s: float = 5.0
    seed: int = 0


class FinishedTrunk:
    """A bundle's trunk in the camera's own runtime."""

    def __init__(self, network: Network, spec: InputSpec, between: TrunkMap) -> None:
        """Take a loaded trunk, the bundle's input, and the map that it answers."""
        self._network, self._spec, self.between = network, spec, between
        self._tensor = network.outputs([between.output])[between.output]

    def pixels(self, picture: Rgb) -> Rgb:
        """Return a picture as the trunk takes it, `(h, w, 3) uint8`."""
        return letterbox(picture, self._spec.width_px, self._spec.height_px, self._spec.pad_value).pixels

    def look(self, picture: Rgb) -> Float32:
        """Return the trunk's map of a picture, in real numbers."""
        name = self.between.output
        raw = self._network.run(network_input(self.pixels(picture)[None], self._spec), [name])[name]
        if self._tensor.scale == 0.0:
            return np.asarray(raw, np.float32)
        zero_point = np.float32(self._tensor.zero_point)
        return np.asarray((raw.astype(np.float32) - zero_point) * np.float32(self._tensor.scale), np.float32)


@dataclass(frozen=True)
class FullAnswers:
    """What the full detector says of pictures: raw, and as detections down to the lowest score."""

    raw: tuple[Answer, ...]
    detections: tuple[tuple[Detection, ...], ...]


def ask_full(detector: Compressible, network: nn.Module, pictures: Sequence[Rgb]) -> FullAnswers:
    """Let the full detector look at pictures."""
    asked = Asked(detector, detector.input_size_px)
    raw = tuple(answer_of(asked.outputs(network, asked.pixels(picture))) for picture in pictures)
    seen = tuple(asked.detections(picture, one) for picture, one in zip(pictures, raw, strict=True))
    return FullAnswers(raw, seen)


def make_lessons(
    detector: Compressible, trunk: FinishedTrunk, spec: InputSpec, pictures: Sequence[Rgb], full: FullAnswers
) -> list[MapLesson]:
    """Return the lessons of pictures, the full detector's answers on the trunk's grid."""
    strides = [level.stride_px for level in detector.decoder.levels]
    lessons = []
    for picture, answer in zip(pictures, full.raw, strict=True):
        regrid = Regrid(
            (picture.shape[1], picture.shape[0]),
            detector.input_size_px,
            (spec.width_px, spec.height_px),
            strides,
        )
        lessons.append(MapLesson(trunk.look(picture), regrid(answer)))
    return lessons


def fitted_head(head: nn.Module, channels: int) -> nn.Module:
    """Return a copy of a head for a map of so many channels; where they differ, its first layer is untaught.

    Raises:
        ExportError: The head has no convolution that takes the map.
    """
    copied = copy.deepcopy(head)
    for name, layer in copied.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.in_channels != channels:
                high, wide = layer.kernel_size[0], layer.kernel_size[1]
                fresh = nn.Conv2d(
                    channels,
                    layer.out_channels,
                    (high, wide),
                    padding=(high // 2, wide // 2),
                    bias=layer.bias is not None,
                )
                nn.init.kaiming_normal_(fresh.weight)
                copied.set_submodule(name, fresh)
            return copied
    message = "the detector's head has no convolution that could take the trunk's map"
    raise ExportError(message)


def teach_head(
    head: nn.Module,
    lessons: Sequence[MapLesson],
    plan: HeadPlan,
    now_s: Callable[[], float],
    tell: Callable[[float], None],
) -> nn.Module:
    """Return a copy of a head that answers on the trunk's maps as the full detector does on the pictures.

    Every sixth lesson is kept apart: the state that does best there comes back, perhaps the first one.

    Args:
        head: In eval mode; its batch norms stay as they are.
        lessons: Of the camera's pictures.
        plan: How long.
        now_s: A clock that only goes forward.
        tell: Told how far it is, 0..1; may raise to stop.

    Raises:
        ExportError: The loss is not a finite number.
    """
    learner = copy.deepcopy(head).eval().requires_grad_(requires_grad=True)
    apart = lessons[::_APART_EVERY] if len(lessons) >= _APART_EVERY else lessons
    taught = [one for index, one in enumerate(lessons) if index % _APART_EVERY] or list(lessons)
    best = _loss_of(learner, apart), copy.deepcopy(learner.state_dict())
    optimizer = torch.optim.AdamW(learner.parameters(), lr=_RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    start_s, progress = now_s(), 0.0
    marks = [(check + 1) / _CHECKS for check in range(_CHECKS)]
    for step, batch in enumerate(_batches(len(taught), plan.seed), start=1):
        for group in optimizer.param_groups:
            group["lr"] = one_cycle(progress, _RATE)
        _step(learner, [taught[index] for index in batch], optimizer)
        progress = min(1.0, max(step / plan.steps, (now_s() - start_s) / plan.budget_s))
        tell(progress)
        if marks and progress >= marks[0]:
            marks = [mark for mark in marks if mark > progress]
            loss = _loss_of(learner, apart)
            best = min(best, (loss, copy.deepcopy(learner.state_dict())), key=lambda pair: pair[0])
        if progress >= 1.0:
            break
    learner.load_state_dict(best[1])
    return learner.requires_grad_(requires_grad=False)


def _step(learner: nn.Module, batch: Sequence[MapLesson], optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    total = _batch_loss(learner, batch)
    if not math.isfinite(float(total.detach())):
        message = "the new head went astray: its loss is not a finite number"
        raise ExportError(message)
    total.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(learner.parameters(), _MAX_GRADIENT_NORM)
    optimizer.step()


def _batch_loss(learner: nn.Module, batch: Sequence[MapLesson]) -> torch.Tensor:
    maps = torch.from_numpy(np.concatenate([one.mixed for one in batch])).permute(0, 3, 1, 2)
    outputs = learner(maps)
    losses = [
        distillation_loss([output[[index]] for output in outputs], tensors_of(one.answer))
        for index, one in enumerate(batch)
    ]
    return torch.stack(losses).mean()


def _loss_of(learner: nn.Module, lessons: Sequence[MapLesson]) -> float:
    with torch.no_grad():
        parts = [lessons[start : start + _BATCH] for start in range(0, len(lessons), _BATCH)]
        return sum(float(_batch_loss(learner, part)) * len(part) for part in parts) / len(lessons)


def _batches(count: int, seed: int) -> Iterator[list[int]]:
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(count).tolist()
        for start in range(0, count, _BATCH):
            yield order[start : start + _BATCH]
