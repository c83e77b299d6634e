"""Takes channels away that answer the same whatever they see.

Training with weight decay left hundreds of channels with weights of (almost) zero. Each is a constant, which
moves into the biases of whoever reads it; the network's answers stay the same. They must go before
quantization: a bias in units of an almost-zero weight scale overflows its 32 bits, which cost 0.06 of AP50.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from compress.starter.network import (
    FIRST_LEVEL_BLOCK,
    InvertedResidual,
    SameConv,
    SsdMobileNetV2,
    bias_of,
)

_NEGLIGIBLE = 0.02
"""Less than one step of an int8 activation in 0..6."""

_PICTURE_LIMIT, _LINEAR_LIMIT, _RELU6_LIMIT = 1.0, 50.0, 6.0
"""Greatest absolute value at the input of the stem, of expansions and of what follows a ReLU6."""


def remove_dead_channels(network: SsdMobileNetV2) -> int:
    """Remove every constant channel inside the trunk; returns how many."""
    removed = 0
    boxes, scores = network.box_convs(), network.score_convs()
    for index, block in enumerate(network.residual_blocks()):
        first = block.expand or network.stem
        limit = _PICTURE_LIMIT if index == 0 else _LINEAR_LIMIT
        others = [boxes[0], scores[0]] if index == FIRST_LEVEL_BLOCK else []
        removed += _clean_block(block, first, limit, others)
    readers = [boxes[1], scores[1], *network.squeezes()[:1]]
    return removed + _clean_last(network.last, readers)


def _clean_block(block: InvertedResidual, first: SameConv, limit: float, others: Sequence[SameConv]) -> int:
    silent = _is_dead(first, limit) & (bias_of(first.conv) <= 0)
    depthwise_dead = _is_dead(block.depthwise, _RELU6_LIMIT) | silent
    _move_constants(block.depthwise, depthwise_dead, [block.project])
    # Other readers of the expansion keep what they see, unless that is nothing.
    gone = depthwise_dead & silent if others else depthwise_dead
    keep = torch.nonzero(~gone).flatten()
    _keep_outputs(first.conv, keep)
    _keep_depthwise(block.depthwise.conv, keep)
    for reader in (block.project, *others):
        _keep_inputs(reader.conv, keep)
    _floor_weights(first, limit)
    _floor_weights(block.depthwise, _RELU6_LIMIT)
    return int(gone.sum())


def _clean_last(last: SameConv, readers: Sequence[SameConv]) -> int:
    dead = _is_dead(last, _LINEAR_LIMIT)
    _move_constants(last, dead, readers)
    keep = torch.nonzero(~dead).flatten()
    _keep_outputs(last.conv, keep)
    for reader in readers:
        _keep_inputs(reader.conv, keep)
    return int(dead.sum())


def _is_dead(layer: SameConv, input_limit: float) -> Tensor:
    return layer.conv.weight.abs().sum(dim=(1, 2, 3)) * input_limit < _NEGLIGIBLE


def _move_constants(layer: SameConv, dead: Tensor, readers: Sequence[SameConv]) -> None:
    """Turn dead channels into zeros; what they used to answer goes into the biases of their readers."""
    bias = bias_of(layer.conv)
    constants = torch.where(dead, bias.clamp(0.0, _RELU6_LIMIT), 0.0)
    for reader in readers:
        bias_of(reader.conv).data += reader.conv.weight[:, :, 0, 0] @ constants
    layer.conv.weight.data[dead] = 0.0
    bias.data[dead] = 0.0


def _floor_weights(layer: SameConv, input_limit: float) -> None:
    """Give channels that stay for their bias alone a small weight, so that their scale is not almost zero."""
    least = _NEGLIGIBLE / input_limit
    weight = layer.conv.weight.data
    weight[weight.abs().amax(dim=(1, 2, 3)) < least, 0, 0, 0] = least


def _keep_outputs(conv: nn.Conv2d, keep: Tensor) -> None:
    conv.weight = nn.Parameter(conv.weight[keep].clone(), requires_grad=False)
    conv.bias = nn.Parameter(bias_of(conv)[keep].clone(), requires_grad=False)
    conv.out_channels = len(keep)


def _keep_inputs(conv: nn.Conv2d, keep: Tensor) -> None:
    conv.weight = nn.Parameter(conv.weight[:, keep].clone(), requires_grad=False)
    conv.in_channels = len(keep)


def _keep_depthwise(conv: nn.Conv2d, keep: Tensor) -> None:
    _keep_outputs(conv, keep)
    conv.in_channels = conv.groups = len(keep)
