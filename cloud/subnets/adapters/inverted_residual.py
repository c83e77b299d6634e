"""Trunks made of inverted residual blocks (Sandler et al. 2018), as EfficientNet-Lite and MobileNetV2 are.

Own code for the published architectures. Strided convolutions pad as TensorFlow's SAME does for even sizes
(less on the left and top), as the weights were trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

_BN_EPS = 1e-3


@dataclass(frozen=True)
class BlockPlan:
    """One inverted residual: expand `inputs` to `hidden`, filter `kernel` x `kernel`, project to `outputs`.

    `hidden` equal to `inputs` means that there is no expansion.
    """

    inputs: int
    hidden: int
    outputs: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class TrunkPlan:
    """A whole trunk; `last` is the width of a closing 1x1 convolution, if there is one.

    `normalised` says whether batch normalisation stands behind each convolution or is folded into it.
    """

    stem: int
    blocks: tuple[BlockPlan, ...]
    last: int | None = None
    normalised: bool = True

    @property
    def tapped(self) -> tuple[int, ...]:
        """Return the blocks that go from stride 8 to 16 and from 16 to 32."""
        return tuple(index for index, block in enumerate(self.blocks) if block.stride > 1)[-2:]


class ConvBn(nn.Module):
    """Convolution padded as SAME, batch normalisation unless folded in and, if asked, ReLU6.

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
        normalised: bool = True,
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
            bias=not normalised,
        )
        self.bn: nn.Module = nn.BatchNorm2d(outputs, eps=_BN_EPS) if normalised else nn.Identity()
        self.act: nn.Module = nn.ReLU6() if relu else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the activated convolution."""
        result: torch.Tensor = self.act(self.bn(self.conv(self.pad(x))))
        return result


class InvertedResidual(nn.Module):
    """Expand 1x1, filter depthwise, project 1x1; added to the input when the shapes agree."""

    def __init__(self, plan: BlockPlan, *, normalised: bool) -> None:
        super().__init__()
        self.expand: nn.Module = (
            ConvBn(plan.inputs, plan.hidden, relu=True, normalised=normalised)
            if plan.hidden != plan.inputs
            else nn.Identity()
        )
        self.depthwise = ConvBn(
            plan.hidden,
            plan.hidden,
            kernel=plan.kernel,
            stride=plan.stride,
            depthwise=True,
            relu=True,
            normalised=normalised,
        )
        self.project = ConvBn(plan.hidden, plan.outputs, relu=False, normalised=normalised)
        self.residual = plan.stride == 1 and plan.inputs == plan.outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        return self.finish(x, self.expand(x))

    def finish(self, x: torch.Tensor, expanded: torch.Tensor) -> torch.Tensor:
        """Return the block's output from its input and its expanded input."""
        y: torch.Tensor = self.project(self.depthwise(expanded))
        return x + y if self.residual else y


class InvertedResidualTrunk(nn.Module):
    """The trunk; input `(n, 3, h, w) float32`, (byte - 127) / 128, RGB, h and w multiples of 32.

    Output: features at strides 8, 16 and 32. Those at 8 and 16 are the expanded, rectified inputs of the
    block that strides on (as SSDLite taps MobileNetV2): six times wider than the projections, and free of
    extra work.
    """

    def __init__(self, plan: TrunkPlan) -> None:
        super().__init__()
        self.plan = plan
        self.stem = ConvBn(3, plan.stem, kernel=3, stride=2, relu=True, normalised=plan.normalised)
        self.blocks = nn.ModuleList(
            [InvertedResidual(block, normalised=plan.normalised) for block in plan.blocks]
        )
        self.last: nn.Module = nn.Identity()
        if plan.last is not None:
            self.last = ConvBn(plan.blocks[-1].outputs, plan.last, relu=True, normalised=plan.normalised)

    def residuals(self) -> Sequence[InvertedResidual]:
        """Return the blocks in order."""
        return cast("list[InvertedResidual]", list(self.blocks))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the features at strides 8, 16 and 32, NCHW."""
        x = self.stem(x)
        taps: list[torch.Tensor] = []
        for index, block in enumerate(self.residuals()):
            expanded = block.expand(x)
            if index in self.plan.tapped:
                taps.append(expanded)
            x = block.finish(x, expanded)
        return taps[0], taps[1], self.last(x)
