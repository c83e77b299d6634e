"""EfficientNet-Lite: Tan & Le 2019, with ReLU6 and without squeeze-excite for int8's sake.

Which member of the family a file holds is read from the shapes of its weights. The names of parameters follow
no file; `published_name` maps them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from cloud.subnets.adapters.inverted_residual import BlockPlan, InvertedResidualTrunk, TrunkPlan

_STRIDED_STAGES = (2, 3, 4, 6)
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


def plan_of(published: Mapping[str, torch.Tensor]) -> TrunkPlan:
    """Return the architecture that published weights belong to.

    Raises:
        KeyError: A tensor is missing.
    """
    stem = published["_conv_stem.weight"].shape[0]
    blocks: list[BlockPlan] = []
    inputs = stem
    while f"_blocks.{len(blocks)}._project_conv.weight" in published:
        prefix = f"_blocks.{len(blocks)}"
        hidden, _, kernel, _ = published[f"{prefix}._depthwise_conv.weight"].shape
        outputs = published[f"{prefix}._project_conv.weight"].shape[0]
        blocks.append(BlockPlan(inputs, hidden, outputs, kernel, 1))
        inputs = outputs
    return TrunkPlan(stem, _with_strides(blocks))


def _with_strides(blocks: list[BlockPlan]) -> tuple[BlockPlan, ...]:
    """Put in the strides, which weights do not show: all members have them where stages 2, 3, 4 and 6 begin.

    A stage begins where the width changes.
    """
    strided: list[BlockPlan] = []
    stage = 0
    for block in blocks:
        begins = block.inputs != block.outputs
        stage += begins
        stride = 2 if begins and stage in _STRIDED_STAGES else 1
        strided.append(BlockPlan(block.inputs, block.hidden, block.outputs, block.kernel, stride))
    return tuple(strided)


def trunk_from(published: Mapping[str, torch.Tensor]) -> InvertedResidualTrunk:
    """Return the trunk with the published weights, in eval mode.

    Raises:
        KeyError: A tensor is missing.
        RuntimeError: A tensor has another shape.
    """
    trunk = InvertedResidualTrunk(plan_of(published))
    trunk.load_state_dict({name: published[published_name(name)] for name in trunk.state_dict()})
    return trunk.eval()
