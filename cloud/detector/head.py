"""Neck and head: frozen features in, class logits and box distances out.

Anchor-free, one level at stride 8 (FCOS, Tian et al. 2019; targets as in TTFNet, Liu et al. 2020). Only
operators that every int8 runtime has: convolution, addition, nearest resize, ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from cloud.detector.layers import bias_of
from cloud.detector.spec import Block

STRIDE_PX = 8
LEVELS = 3
"""Feature levels that every subnet offers: strides 8, 16 and 32."""

_PRIOR_SCORE = 0.01


def _activated(conv: nn.Conv2d) -> tuple[nn.Module, ...]:
    return conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU6()


def _dense3(width: int) -> tuple[nn.Module, ...]:
    """See three cells across, and what the coarser levels saw."""
    return _activated(nn.Conv2d(width, width, 3, padding=1, bias=False))


def _dense3_separable5(width: int) -> tuple[nn.Module, ...]:
    """See seven cells across."""
    return (
        *_dense3(width),
        *_activated(nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False)),
        *_activated(nn.Conv2d(width, width, 1, bias=False)),
    )


_BLOCKS = {"dense3": _dense3, "dense3_separable5": _dense3_separable5}


class AnchorFreeHead(nn.Module):
    """1x1 adapters into one width, summed at stride 8; a block of 3x3 convolutions; two 1x1 outputs.

    Input: for each subnet its features at strides 8, 16, 32, each `(n, channels, h, w) float32`.
    Output: logits `(n, classes, h/8, w/8)` and distances left, top, right, bottom in strides `(n, 4, h/8,
    w/8)`, not negative.
    """

    def __init__(
        self, level_channels: Sequence[int], classes: int, width: int = 64, block: Block = "dense3"
    ) -> None:
        """Make an untaught head.

        Args:
            level_channels: Channels of every level of every subnet, a subnet's levels together, finest first.
            classes: How many classes there are.
            width: Channels that the adapters lead to.
            block: What follows the adapters.
        """
        super().__init__()
        self.adapters = nn.ModuleList(
            nn.Conv2d(channels, width, 1, bias=False) for channels in level_channels
        )
        self.mix = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU6())
        self.block = nn.Sequential(*_BLOCKS[block](width))
        self.scores = nn.Conv2d(width, classes, 1)
        self.boxes = nn.Conv2d(width, 4, 1)

    def start_from(self, mean_distances: Sequence[float], generator: torch.Generator) -> None:
        """Initialise: seldom anything anywhere, boxes of the mean size (He et al. 2015 elsewhere)."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                fan_in = layer.weight[0].numel()
                nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in), generator=generator)
        nn.init.normal_(self.scores.weight, std=0.01, generator=generator)
        nn.init.normal_(self.boxes.weight, std=0.01, generator=generator)
        nn.init.constant_(bias_of(self.scores), -math.log((1 - _PRIOR_SCORE) / _PRIOR_SCORE))
        with torch.no_grad():
            bias_of(self.boxes).copy_(torch.tensor(mean_distances))

    def adapt(self, index: int, features: torch.Tensor) -> torch.Tensor:
        """Return one level in the head's own width."""
        adapted: torch.Tensor = self.adapters[index](features)
        return adapted

    def forward(self, features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and distances, NCHW."""
        hidden = self.block(self.mix(self.fuse(features)))
        return self.scores(hidden), functional.relu(self.boxes(hidden))

    def fuse(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the sum of all levels of all subnets at stride 8, in the head's own width."""
        return fuse_levels(features, self.adapt)


def fuse_levels(
    features: Sequence[torch.Tensor], adapt: Callable[[int, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Return the sum of all levels of all subnets at stride 8.

    Coarse to fine: each sum is enlarged once, so the last resize carries both coarser levels.

    Args:
        features: For each subnet its levels, finest first, each `(n, channels, h, w)`.
        adapt: Brings the level at an index into the common width.
    """
    mixed: torch.Tensor | None = None
    for level in reversed(range(LEVELS)):
        if mixed is not None:
            mixed = functional.interpolate(mixed, scale_factor=2.0)
        for index in range(level, len(features), LEVELS):
            adapted = adapt(index, features[index])
            mixed = adapted if mixed is None else adapted + mixed
    if mixed is None:
        message = "a head needs the features of at least one subnet"
        raise ValueError(message)
    return mixed
