"""SSD-MobileNetV2 (Sandler et al., 2018; Liu et al., 2016) as a torch module, filled from TFLite layers.

Padding is TensorFlow's SAME, which is not symmetric for even sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.starter.weights import ConvLayer

BLOCKS = 17
"""Inverted residual blocks of MobileNetV2."""

FIRST_LEVEL_BLOCK = 13
"""The expansion of this block is the finest level that boxes are predicted from."""

_TRAINED_MEAN, _TRAINED_STD = 127.5, 127.5
_OUR_MEAN, _OUR_STD = 127.0, 128.0


class SameConv(nn.Module):
    """A convolution with SAME padding and, if the layer has it, ReLU6."""

    def __init__(self, layer: ConvLayer) -> None:
        super().__init__()
        kernel = torch.from_numpy(layer.kernel)
        weight = kernel.permute(3, 0, 1, 2) if layer.depthwise else kernel.permute(0, 3, 1, 2)
        out_channels, _, self.kernel_px, _ = weight.shape
        groups = out_channels if layer.depthwise else 1
        in_channels = weight.shape[1] * groups
        self.stride = layer.stride
        self.relu6 = layer.relu6
        self.conv = nn.Conv2d(in_channels, out_channels, self.kernel_px, layer.stride, groups=groups)
        self.conv.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
        self.conv.bias = nn.Parameter(torch.from_numpy(layer.bias.copy()), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(n, c, h, w)` to `(n, c', ceil(h / stride), ceil(w / stride))`."""
        top, bottom = same_padding(x.shape[2], self.kernel_px, self.stride)
        left, right = same_padding(x.shape[3], self.kernel_px, self.stride)
        if top or bottom or left or right:
            x = functional.pad(x, (left, right, top, bottom))
        y: Tensor = self.conv(x)
        return functional.relu6(y) if self.relu6 else y


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return (before, after) of TensorFlow's SAME padding along one side."""
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Expand, depthwise, project; added to the input where the shapes allow it."""

    def __init__(self, expand: SameConv | None, depthwise: SameConv, project: SameConv) -> None:
        super().__init__()
        self.expand = expand
        self.depthwise = depthwise
        self.project = project
        in_channels = (expand or depthwise).conv.in_channels
        self.adds = depthwise.stride == 1 and in_channels == project.conv.out_channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expansion and the block's result."""
        expanded = x if self.expand is None else self.expand(x)
        y: Tensor = self.project(self.depthwise(expanded))
        return expanded, x + y if self.adds else y


class SsdMobileNetV2(nn.Module):
    """Trunk, coarser extra levels and two predictors a level."""

    def __init__(self, layers: Sequence[ConvLayer]) -> None:
        """Fill the network.

        Args:
            layers: All convolutions in the order in which they run, batch norms folded.
        """
        super().__init__()
        convs = iter([SameConv(layer) for layer in layers])
        self.stem = next(convs)
        self.boxes = nn.ModuleList()
        self.scores = nn.ModuleList()
        self.blocks = nn.ModuleList([InvertedResidual(None, next(convs), next(convs))])
        for index in range(1, BLOCKS):
            expand = next(convs)
            if index == FIRST_LEVEL_BLOCK:
                self._add_predictors(convs)
            self.blocks.append(InvertedResidual(expand, next(convs), next(convs)))
        self.last = next(convs)
        self._add_predictors(convs)
        self.extras = nn.ModuleList()
        for squeeze in convs:
            self.extras.append(nn.Sequential(squeeze, next(convs)))
            self._add_predictors(convs)

    def _add_predictors(self, convs: Iterator[SameConv]) -> None:
        self.boxes.append(next(convs))
        self.scores.append(next(convs))

    def keep(self, classes: Sequence[int], levels: int) -> None:
        """Cut away all but some classes and the finest levels.

        Args:
            classes: Indices of the scores to keep, in their new order.
            levels: How many levels to keep; the coarsest go.
        """
        self.boxes, self.scores = self.boxes[:levels], self.scores[:levels]
        self.extras = self.extras[: max(0, levels - 2)]
        for boxes, scores in zip(self.box_convs(), self.score_convs(), strict=True):
            _keep_classes(scores.conv, classes, anchors=boxes.conv.out_channels // 4)

    def box_convs(self) -> list[SameConv]:
        """Return the predictors of boxes, finest level first."""
        return cast("list[SameConv]", list(self.boxes))

    def score_convs(self) -> list[SameConv]:
        """Return the predictors of scores, finest level first."""
        return cast("list[SameConv]", list(self.scores))

    def residual_blocks(self) -> list[InvertedResidual]:
        """Return the trunk's blocks in order."""
        return cast("list[InvertedResidual]", list(self.blocks))

    def squeezes(self) -> list[SameConv]:
        """Return the first convolution of every extra level."""
        return [cast("SameConv", cast("nn.Sequential", extra)[0]) for extra in self.extras]

    def take_our_input(self) -> None:
        """Take (byte - 127) / 128 instead of (byte - 127.5) / 127.5: the stem absorbs the difference."""
        gain = _OUR_STD / _TRAINED_STD
        shift = (_OUR_MEAN - _TRAINED_MEAN) / _TRAINED_STD
        conv = self.stem.conv
        conv.bias = nn.Parameter(bias_of(conv) + shift * conv.weight.sum(dim=(1, 2, 3)), requires_grad=False)
        conv.weight = nn.Parameter(conv.weight * gain, requires_grad=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw boxes `(n, anchors, 4)` and score logits `(n, anchors, classes)` for `(n, h, w, 3)`."""
        levels = self._levels(self.stem(x.permute(0, 3, 1, 2)))
        boxes, scores = [], []
        for level, box_conv, score_conv in zip(levels, self.box_convs(), self.score_convs(), strict=True):
            anchors = box_conv.conv.out_channels // 4
            boxes.append(_rows(box_conv(level), anchors))
            scores.append(_rows(score_conv(level), anchors))
        return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)

    def _levels(self, x: Tensor) -> list[Tensor]:
        levels = []
        for index, block in enumerate(self.blocks):
            expanded, x = block(x)
            if index == FIRST_LEVEL_BLOCK:
                levels.append(expanded)
        levels.append(self.last(x))
        for extra in self.extras:
            levels.append(extra(levels[-1]))
        return levels


def _rows(x: Tensor, anchors: int) -> Tensor:
    """Turn `(n, anchors * k, h, w)` into `(n, h * w * anchors, k)`."""
    batch, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(batch, height * width * anchors, channels // anchors)


def _keep_classes(conv: nn.Conv2d, classes: Sequence[int], anchors: int) -> None:
    per_anchor = conv.out_channels // anchors
    rows = [anchor * per_anchor + index for anchor in range(anchors) for index in classes]
    conv.weight = nn.Parameter(conv.weight[rows].clone(), requires_grad=False)
    conv.bias = nn.Parameter(bias_of(conv)[rows].clone(), requires_grad=False)
    conv.out_channels = len(rows)


def bias_of(conv: nn.Conv2d) -> Tensor:
    """Return the bias of a convolution that surely has one."""
    if conv.bias is None:
        message = "every layer of this network has a bias"
        raise ValueError(message)
    return conv.bias
