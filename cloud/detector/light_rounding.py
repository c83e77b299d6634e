"""Biases that take back what rounding weights to int8 changes in the mean.

A rounded weight is off by some part of a step, and always to the same side, while what a layer is given is
hardly ever negative: so each channel's sums are off by much the same in every picture. That is known
beforehand from the means of what the layer is given, and costs nothing while looking (Nagel et al. 2019,
"Data-Free Quantization Through Weight Equalization and Bias Correction").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from edge_agent.vision.arrays import Float32

_STEPS = 127.0
_TINY = 1e-12


def take_back_rounding(model: onnx.ModelProto, means: Mapping[str, Float32], kept: Collection[str]) -> None:
    """Change the biases of convolutions that will be made int8, each output channel with a scale of its own.

    Args:
        model: All weights and biases are initializers; is changed in its place.
        means: Of tensors that convolutions are given, `(channels,)`; where there are none, nothing changes.
        kept: Names of nodes that stay float.
    """
    weights = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Conv" or node.name in kept or node.input[0] not in means:
            continue
        _, weight, bias = (weights.get(name) for name in node.input)
        if weight is not None and bias is not None:
            lost = lost_in_mean(numpy_helper.to_array(weight), means[node.input[0]])
            values = numpy_helper.to_array(bias) + lost
            bias.CopyFrom(numpy_helper.from_array(values.astype(np.float32), bias.name))


def lost_in_mean(weight: Float32, means: Float32) -> Float32:
    """Return what rounding takes from each output channel's sums in the mean, `(out,)`.

    Args:
        weight: `(out, in of a group, h, w)`, of one group or of as many as there are channels.
        means: Of the channels that come in, `(in,)`.
    """
    steps = np.maximum(np.abs(weight).max(axis=(1, 2, 3), keepdims=True), _TINY) / _STEPS
    off = (weight - np.rint(weight / steps) * steps).sum(axis=(2, 3))
    return np.asarray(off[:, 0] * means if off.shape[1] == 1 < len(means) else off @ means, np.float32)
