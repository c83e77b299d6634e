"""The usual way, as a rival: the whole network is fine-tuned on the same frames, trunk and all.

Same subnet, same size of input, same views, targets and loss as elfowl's own training. AdamW, a tenth of the
rate for the trunk, batch normalisation frozen as is usual for small batches, one-cycle over the time it has,
and a moving average of the weights is what is measured (Polyak & Juditsky 1992), so that it shows its best
all along the way. Looking at pictures for the measurement is not on its clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.pictures import read_pictures
from cloud.detector.loss import TargetBatch, detection_loss
from cloud.detector.spec import DetectorSpec
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.trunks import load_trunk
from cloud.training.evaluate import SCORE_FLOOR, AnsweredFrame, measure
from cloud.training.optimize import one_cycle
from cloud.training.plan import choose_grid
from cloud.training.samples import Labels, labels_of
from cloud.training.targets import STRIDE_PX, Targets, build_targets
from cloud.training.views import Tile, View, draw_tiles, draw_view, plain_view, random_tiles
from edge_agent.clock import SystemClock
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.decode import decode_head
from edge_agent.vision.nms import nms
from edge_agent.wire.detection import Detection

_BATCH = 4
_HEAD_RATE, _TRUNK_RATE = 2e-3, 2e-4
_MAX_GRADIENT_NORM = 10.0
_AVERAGE_OF = 20
_WIDTH = 64
_THREADS = 2


@dataclass(frozen=True)
class Point:
    """How good it was after so many seconds of training."""

    seconds: float
    ap50: float


class WholeNetwork(nn.Module):
    """Trunk and a head like elfowl's; input as for `load_trunk`, output logits and distances NCHW."""

    def __init__(self, subnet: SubnetManifest, classes: int) -> None:
        super().__init__()
        self.trunk = load_trunk(subnet).requires_grad_(requires_grad=True)
        self.adapters = nn.ModuleList(nn.Conv2d(level.channels, _WIDTH, 1) for level in subnet.levels)
        self.block = nn.Sequential(
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU6(),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU6(),
        )
        self.scores = nn.Conv2d(_WIDTH, classes, 1)
        self.boxes = nn.Conv2d(_WIDTH, 4, 1)
        nn.init.constant_(self.scores.bias, -4.6)  # type: ignore[arg-type]
        nn.init.constant_(self.boxes.bias, 3.0)  # type: ignore[arg-type]

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and distances."""
        mixed: torch.Tensor | None = None
        for adapter, level in zip(reversed(self.adapters), reversed(self.trunk(image)), strict=True):
            adapted = adapter(level)
            mixed = adapted if mixed is None else adapted + functional.interpolate(mixed, scale_factor=2.0)
        hidden = self.block(mixed)
        return self.scores(hidden), functional.relu(self.boxes(hidden))

    def train_but_statistics(self) -> None:
        """Go to training, but keep the statistics of the trunk's batch normalisation."""
        self.train()
        self.trunk.eval()


def fine_tune(
    frames: Sequence[LabelledFrame],
    test: Sequence[LabelledFrame],
    spec: DetectorSpec,
    subnet: SubnetManifest,
    marks_s: Sequence[float],
) -> list[Point]:
    """Fine-tune until the last mark; return how good it was at each.

    Args:
        frames: What to learn from.
        test: What to measure on.
        spec: Of the detector that elfowl made of the same frames: classes, input size, decoding.
        subnet: What to start from.
        marks_s: Seconds of training, ascending.
    """
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    clock, spent_s, points = SystemClock(), 0.0, []
    threads = torch.get_num_threads()
    torch.set_num_threads(_THREADS)
    start_s = clock.monotonic_s()
    pictures = _read(frames)
    network = WholeNetwork(subnet, len(spec.labels))
    average = deepcopy(network)
    optimizer = torch.optim.AdamW(
        [
            {"params": network.trunk.parameters(), "share": _TRUNK_RATE / _HEAD_RATE},
            {
                "params": [p for n, p in network.named_parameters() if not n.startswith("trunk.")],
                "share": 1.0,
            },
        ],
        lr=_HEAD_RATE,
        weight_decay=1e-4,
    )
    network.train_but_statistics()
    step = 0
    for mark_s in marks_s:
        while spent_s + clock.monotonic_s() - start_s < mark_s:
            progress = (spent_s + clock.monotonic_s() - start_s) / marks_s[-1]
            for group in optimizer.param_groups:
                group["lr"] = one_cycle(progress, _HEAD_RATE) * group["share"]
            _step(network, optimizer, _batch(pictures, spec, random))
            step += 1
            _follow(average, network, step)
        spent_s += clock.monotonic_s() - start_s
        points.append(Point(spent_s, _ap50(average.eval(), test, spec)))
        start_s = clock.monotonic_s()
    torch.set_num_threads(threads)
    return points


def _read(frames: Sequence[LabelledFrame]) -> list[tuple[LabelledFrame, Rgb]]:
    by_source = {frame.source: frame for frame in frames}
    return [(by_source[source], rgb) for source, rgb in read_pictures(by_source)]


def _batch(
    pictures: Sequence[tuple[LabelledFrame, Rgb]], spec: DetectorSpec, random: np.random.Generator
) -> tuple[torch.Tensor, TargetBatch]:
    size_px = spec.input_width_px, spec.input_height_px
    classes = [label.name for label in spec.labels]
    grid = choose_grid([frame for frame, _ in pictures], size_px)
    images, targets = [], []
    for index in random.permutation(len(pictures))[:_BATCH]:
        frame, rgb = pictures[index]
        labels = labels_of(frame, classes)
        plain = plain_view(*size_px, (rgb.shape[1], rgb.shape[0]))
        tiles = random_tiles(plain, labels.boxes_norm, grid, random)
        images.append(_tensor(draw_tiles(tiles, rgb, size_px)))
        targets.append(_targets(tiles, labels, len(classes), size_px))
    parts = [
        torch.from_numpy(np.stack([getattr(one, name) for one in targets])).permute(0, 3, 1, 2)
        for name in ("heat", "distances", "box_weight", "trusted")
    ]
    return torch.stack(images), TargetBatch(*parts)


def _targets(tiles: Sequence[Tile], labels: Labels, classes: int, size_px: tuple[int, int]) -> Targets:
    """Return the targets of an input that is put together from tiles."""
    whole = build_targets(labels.boxes_norm[:0], labels.classes[:0], classes, size_px)
    for tile in tiles:
        view, top, left = tile.view, tile.top_px // STRIDE_PX, tile.left_px // STRIDE_PX
        boxes_px = view.boxes_px(labels.boxes_norm)
        part = build_targets(boxes_px, labels.classes, classes, (view.width_px, view.height_px))
        inside = np.s_[top : top + part.heat.shape[0], left : left + part.heat.shape[1]]
        for name in ("heat", "distances", "box_weight", "trusted"):
            getattr(whole, name)[inside] = getattr(part, name)
    return whole


def _tensor(pixels: Rgb) -> torch.Tensor:
    return (torch.from_numpy(pixels).permute(2, 0, 1).float() - 127) / 128


def _step(
    network: WholeNetwork, optimizer: torch.optim.Optimizer, batch: tuple[torch.Tensor, TargetBatch]
) -> None:
    logits, distances = network(batch[0])
    detection_loss(logits, distances, batch[1]).mean().backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT_NORM)
    optimizer.step()
    optimizer.zero_grad()


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, step: int) -> None:
    """Move the average towards the network: an equal mean at first, of the last steps later."""
    share = 1 / min(step, _AVERAGE_OF)
    mine, its = average.state_dict(), network.state_dict()
    for name, value in mine.items():
        if value.is_floating_point():
            value.lerp_(its[name], share)


def _ap50(network: nn.Module, test: Sequence[LabelledFrame], spec: DetectorSpec) -> float:
    answered = [AnsweredFrame(frame, tuple(_detect(network, rgb, spec))) for frame, rgb in _read(test)]
    return measure(answered, [label.name for label in spec.labels]).ap50


@torch.inference_mode()
def _detect(network: nn.Module, rgb: Rgb, spec: DetectorSpec) -> list[Detection]:
    view = plain_view(spec.input_width_px, spec.input_height_px, (rgb.shape[1], rgb.shape[0]))
    answers = network(_tensor(draw_view(view, rgb))[None])
    scores, boxes = (answer.permute(0, 2, 3, 1).numpy() for answer in answers)
    return _decoded(spec, view, scores, boxes)


def _decoded(spec: DetectorSpec, view: View, scores: Float32, boxes: Float32) -> list[Detection]:
    level = spec.decoder.levels[0]
    outputs = {level.scores_output: scores, level.boxes_output: boxes}
    found = decode_head(spec.head, outputs, spec.input, None, score_floor=SCORE_FLOOR)
    found = found.take(nms(found.boxes_px, found.scores, found.labels, spec.nms_iou, 100))
    placed = view.boxes_norm(found.boxes_px).astype(float).tolist()
    return [
        Detection(label=spec.labels[label].name, score=min(1.0, score), box=tuple(box))
        for box, score, label in zip(placed, found.scores.tolist(), found.labels.tolist(), strict=True)
        if box[0] < box[2] and box[1] < box[3]
    ]
