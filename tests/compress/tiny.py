"""A tiny real detector of red squares: random convolutions, heads fitted by least squares in a blink."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from compress.capture import normalised
from compress.protocol import HeldOutPicture, LicenceNotice, Rgb, TruthBox
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, AnchorFreeLevel, LabelSpec, SubnetRef

WIDTH_PX, HEIGHT_PX, STRIDE_PX = 96, 64, 8


@dataclass(frozen=True)
class Scene:
    """A noisy picture `(h, w, 3) uint8` and its red squares, `(n, 4) xyxy` in pixels."""

    rgb: Rgb
    boxes_px: tuple[tuple[int, int, int, int], ...]


def scene(seed: int) -> Scene:
    """Return a picture with up to two red squares that do not touch."""
    random = np.random.default_rng(seed)
    rgb = random.integers(60, 120, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    boxes = []
    for half in range(int(random.integers(0, 3))):
        side = int(random.integers(18, 30))
        left = int(random.integers(half * WIDTH_PX // 2, (half + 1) * WIDTH_PX // 2 - side))
        top = int(random.integers(0, HEIGHT_PX - side))
        rgb[top : top + side, left : left + side] = (220, 30, 30)
        boxes.append((left, top, left + side, top + side))
    return Scene(rgb, tuple(boxes))


class TinyNetwork(nn.Module):
    """Stride-8 features with a residual, an upsampling and batch norms, then two linear heads."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 12, 3, 2), _conv(12, 24, 3, 2), _conv(24, 32, 3, 2))
        self.same = nn.Sequential(_conv(32, 32, 5, 1, groups=32), _conv(32, 32, 1, 1))
        self.deep = _conv(32, 32, 3, 2)
        self.scores = nn.Conv2d(96, 1, 1)
        self.boxes = nn.Conv2d(96, 4, 1)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """Return `(n, 96, h / 8, w / 8)`."""
        first = self.stem(image)
        second = first + self.same(first)
        third = nn.functional.interpolate(self.deep(second), scale_factor=2.0, mode="nearest")
        return torch.cat([first, second, third], dim=1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores and boxes, NHWC."""
        features = self.features(image)
        boxes = torch.relu(self.boxes(features))
        return self.scores(features).permute(0, 2, 3, 1), boxes.permute(0, 2, 3, 1)


def _conv(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


@functools.cache
def fitted_network() -> TinyNetwork:
    """Return the network with heads fitted on 60 scenes."""
    torch.manual_seed(7)
    network = TinyNetwork().eval()
    scenes = [scene(seed) for seed in range(60)]
    batch = torch.from_numpy(np.stack([normalised(one.rgb) for one in scenes])).permute(0, 3, 1, 2)
    with torch.no_grad():
        network.train()(batch)  # the batch norms learn what the features look like
        features = network.eval().features(batch).permute(0, 2, 3, 1).reshape(-1, 96)
        targets = torch.from_numpy(np.concatenate([_targets(one) for one in scenes]))
        inside = targets[:, 0] > 0
        _fit(network.scores, features, targets[:, :1])
        _fit(network.boxes, features[inside], targets[inside, 1:])
    return network


def _targets(one: Scene) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return `(cells, 5) float32`: logit, then left, top, right, bottom in strides."""
    rows, columns = np.mgrid[0 : HEIGHT_PX // STRIDE_PX, 0 : WIDTH_PX // STRIDE_PX]
    x, y = (columns.ravel() + 0.5) * STRIDE_PX, (rows.ravel() + 0.5) * STRIDE_PX
    targets = np.zeros((len(x), 5), np.float32)
    targets[:, 0] = -4.0
    for left, top, right, bottom in one.boxes_px:
        distances = np.stack([x - left, y - top, right - x, bottom - y], axis=1)
        inside = distances.min(axis=1) > 0
        middle = inside & (np.abs(distances[:, :2] - distances[:, 2:]).max(axis=1) < 1.5 * STRIDE_PX)
        targets[middle, 0] = 4.0
        targets[inside, 1:] = distances[inside] / STRIDE_PX
    return targets


def _fit(head: nn.Conv2d, features: torch.Tensor, targets: torch.Tensor) -> None:
    with_one = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    ridge = 0.1 * torch.eye(with_one.shape[1])
    weights = torch.linalg.solve(with_one.T @ with_one + ridge, with_one.T @ targets)
    head.weight.copy_(weights[:-1].T[:, :, None, None])
    assert head.bias is not None
    head.bias.copy_(weights[-1])


class TinyDetector:
    """Implements `compress.protocol.Compressible`."""

    def __init__(self, held_out: int = 12, calibration: int = 16) -> None:
        self._held_out = held_out
        self._calibration = calibration

    @property
    def ref(self) -> DetectorRef:
        return DetectorRef(id="tiny", name="red squares", version=3)

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        return (LabelSpec(name="red square", slug="red_square", threshold=0.5),)

    @property
    def input_size_px(self) -> tuple[int, int]:
        return WIDTH_PX, HEIGHT_PX

    @property
    def decoder(self) -> AnchorFreeDecoder:
        level = AnchorFreeLevel(stride_px=STRIDE_PX, scores_output="scores_8", boxes_output="boxes_8")
        return AnchorFreeDecoder(levels=(level,))

    @property
    def nms_iou(self) -> float:
        return 0.5

    @property
    def subnets(self) -> tuple[SubnetRef, ...]:
        return (SubnetRef(name="random features", source="a seed", licence="Apache-2.0"),)

    @property
    def licences(self) -> tuple[LicenceNotice, ...]:
        return (LicenceNotice(subnet="random features", text="Do as you like."),)

    def network(self) -> nn.Module:
        return fitted_network()

    def calibration_pictures(self, limit: int) -> Sequence[Rgb]:
        return [scene(seed).rgb for seed in range(1000, 1000 + min(limit, self._calibration))]

    def held_out_pictures(self) -> Sequence[HeldOutPicture]:
        return [held_out(seed) for seed in range(2000, 2000 + self._held_out)]


def held_out(seed: int) -> HeldOutPicture:
    """Return a scene that the fit did not see, with its truth."""
    one = scene(seed)
    truth = tuple(
        TruthBox(0, (x1 / WIDTH_PX, y1 / HEIGHT_PX, x2 / WIDTH_PX, y2 / HEIGHT_PX))
        for x1, y1, x2, y2 in one.boxes_px
    )
    return HeldOutPicture(f"scene {seed}", lambda: one.rgb, truth)
