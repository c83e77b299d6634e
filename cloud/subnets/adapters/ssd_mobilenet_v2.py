"""The MobileNetV2 trunk of an SSD detector, from the weights that `cloud.subnets.ssd_weights` took out of it.

Its batch normalisation is folded in, and channels that answer the same whatever they see are gone, so blocks
have widths of their own; they are read from the weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from cloud.subnets.adapters.inverted_residual import BlockPlan, ConvBn, InvertedResidualTrunk, TrunkPlan

_STRIDED_BLOCKS = (1, 3, 6, 13)
_TRAINED_MEAN, _TRAINED_STD = 127.5, 127.5
_OUR_MEAN, _OUR_STD = 127.0, 128.0


def plan_of(weights: Mapping[str, torch.Tensor]) -> TrunkPlan:
    """Return the architecture that weights belong to.

    Raises:
        KeyError: A tensor is missing.
    """
    stem = weights["stem.conv.weight"].shape[0]
    blocks: list[BlockPlan] = []
    inputs = stem
    while (name := f"blocks.{len(blocks)}") and f"{name}.project.conv.weight" in weights:
        hidden, _, kernel, _ = weights[f"{name}.depthwise.conv.weight"].shape
        outputs = weights[f"{name}.project.conv.weight"].shape[0]
        stride = 2 if len(blocks) in _STRIDED_BLOCKS else 1
        blocks.append(BlockPlan(inputs, hidden, outputs, kernel, stride))
        inputs = outputs
    return TrunkPlan(stem, tuple(blocks), weights["last.conv.weight"].shape[0], normalised=False)


def trunk_from(weights: Mapping[str, torch.Tensor]) -> InvertedResidualTrunk:
    """Return the trunk in eval mode, its stem changed to take (byte - 127) / 128.

    Raises:
        KeyError: A tensor is missing.
        RuntimeError: A tensor has another shape.
    """
    trunk = InvertedResidualTrunk(plan_of(weights))
    trunk.load_state_dict({name: value.float() for name, value in weights.items()})
    take_our_input(trunk.stem)
    return trunk.eval()


@torch.no_grad()
def take_our_input(stem: ConvBn) -> None:
    """Let the stem absorb the difference between (byte - 127.5) / 127.5 and (byte - 127) / 128.

    Only the padding at the border of the picture means something else after it: byte 127 in place of 127.5.
    """
    if stem.conv.bias is not None:
        shift = (_OUR_MEAN - _TRAINED_MEAN) / _TRAINED_STD
        stem.conv.bias += shift * stem.conv.weight.sum(dim=(1, 2, 3))
    stem.conv.weight *= _OUR_STD / _TRAINED_STD
