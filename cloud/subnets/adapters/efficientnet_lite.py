"""EfficientNet-Lite0 as a trunk: Tan & Le 2019, with ReLU6 and without squeeze-excite for int8's sake.

Own code for the published architecture; the names of parameters follow no file, `published_name` maps them.
Strided convolutions pad as TensorFlow's SAME does for even sizes (less on the left and top), as the weights
were trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

_BN_EPS = 1e-3


@dataclass(frozen=True)
class Stage:
    """A run of inverted residual blocks; the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32


class ConvBn(nn.Module):
    """Convolution padded as SAME, batch normalisation and, if asked, ReLU6.

    Input `(n, in, h, w) float32`, h and w even when strided; output `(n, out, h / stride, w / stride)`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        relu: bool,
    ) -> None:
        super().__init__()
        self.stride, self.relu = stride, relu
        total = kernel - stride
        before = total // 2
        # Symmetric padding belongs to the convolution itself: one operator less in every runtime.
        uneven = total % 2 == 1
        self.pad: nn.Module = (
            nn.ZeroPad2d((before, total - before, before, total - before)) if uneven else nn.Identity()
        )
        self.conv = nn.Conv2d(
            inputs,
            outputs,
            kernel,
            stride,
            padding=0 if uneven else before,
            groups=inputs if depthwise else 1,
            bias=False,
        )
        self.bn: nn.Module = nn.BatchNorm2d(outputs, eps=_BN_EPS)
        self.act: nn.Module = nn.ReLU6() if relu else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activated convolution."""
        result: torch.Tensor = self.act(self.bn(self.conv(self.pad(x))))
        return result


class InvertedResidual(nn.Module):
    """Expand 1x1, filter depthwise, project 1x1; added to the input when the shapes agree."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        self.expand: nn.Module = ConvBn(inputs, hidden, relu=True) if stage.expansion > 1 else nn.Identity()
        self.depthwise = ConvBn(hidden, hidden, kernel=stage.kernel, stride=stride, depthwise=True, relu=True)
        self.project = ConvBn(hidden, stage.channels, relu=False)
        self.residual = stride == 1 and inputs == stage.channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        return self.finish(x, self.expand(x))

    def finish(self, x: torch.Tensor, expanded: torch.Tensor) -> torch.Tensor:
        """Return the block's output from its input and its expanded input."""
        y: torch.Tensor = self.project(self.depthwise(expanded))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """The trunk; input `(n, 3, h, w) float32`, (byte - 127) / 128, RGB, h and w multiples of 32.

    Output: features at strides 8, 16 and 32. Those at 8 and 16 are the expanded, rectified inputs of the
    block that strides on (as SSDLite taps MobileNetV2): six times wider than the projections, and free of
    extra work.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBn(3, STEM_CHANNELS, kernel=3, stride=2, relu=True)
        blocks: list[InvertedResidual] = []
        channels = STEM_CHANNELS
        for stage in STAGES:
            for repeat in range(stage.repeats):
                blocks.append(InvertedResidual(channels, stage, stage.stride if repeat == 0 else 1))
                channels = stage.channels
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return `(n, 240, h/8, w/8)`, `(n, 672, h/16, w/16)`, `(n, 320, h/32, w/32)`."""
        x = self.stem(x)
        taps: list[torch.Tensor] = []
        for index, module in enumerate(self.blocks):
            block = cast("InvertedResidual", module)
            expanded = block.expand(x)
            if index in TAPPED_BLOCKS:
                taps.append(expanded)
            x = block.finish(x, expanded)
        return taps[0], taps[1], x


TAPPED_BLOCKS = (5, 11)
"""Blocks whose expanded input is a feature: those that go from stride 8 to 16 and from 16 to 32."""

_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def published_name(name: str) -> str:
    """Return the name that a parameter of the trunk has in the published state dict."""
    parts = name.split(".")
    if parts[0] == "stem":
        return ".".join(["_conv_stem" if parts[1] == "conv" else "_bn0", *parts[2:]])
    conv, bn = _PARTS[parts[2]]
    return ".".join(["_blocks", parts[1], conv if parts[3] == "conv" else bn, *parts[4:]])


def trunk_from(published: Mapping[str, torch.Tensor]) -> EfficientNetLite0:
    """Return the trunk with the published weights, in eval mode.

    Raises:
        KeyError: A tensor is missing.
        RuntimeError: A tensor has another shape.
    """
    trunk = EfficientNetLite0()
    trunk.load_state_dict({name: published[published_name(name)] for name in trunk.state_dict()})
    return trunk.eval()
