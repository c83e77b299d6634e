"""A head as one ONNX graph with int8 numbers, for maps that are bytes.

It needs no pictures to find ranges in: what comes in is bytes already, and what lies between its layers is
between 0 and 6. Weights have a step for each channel that comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cloud.detector.head import LEVELS, AnchorFreeHead
from cloud.detector.layers import as_convolution, bias_of
from cloud.subnets.graph import OPSET, Array
from edge_agent.vision.arrays import Float32

ANSWERS = "answers"
"""Output: logits, then distances, `(n, h/8, w/8, classes + 4) float32`; distances may be below 0."""

_CONTRIB = "com.microsoft"
_IR_VERSION = 8


@dataclass(frozen=True)
class ByteMap:
    """A map of bytes `(n, h, w, channels)`; each stands for `(byte - zero) * step`."""

    channels: int
    step: float
    zero: int = 0


def map_name(index: int) -> str:
    """Return the name of an input: one a level of each subnet, in the head's order."""
    return f"map{index}"


def head_graph(head: AnchorFreeHead, maps: Sequence[ByteMap]) -> bytes:
    """Return a head, in eval mode, as a serialised ONNX model that reads such maps.

    Channels of a map beyond those that the head knows change nothing.
    """
    graph = _Graph()
    mixed = graph.add("Transpose", [_mixed(graph, head, maps)], "planes", perm=[0, 3, 1, 2])
    layers = list(head.block)
    for number, (conv, norm) in enumerate(zip(layers[::3], layers[1::3], strict=True)):
        mixed = graph.convolution(mixed, as_convolution(conv), *_scale_and_shift(norm), f"block{number}")
    hidden = graph.add("Transpose", [mixed], "hidden", perm=[0, 2, 3, 1])
    weight = torch.cat([head.scores.weight, head.boxes.weight])
    bias = torch.cat([bias_of(head.scores), bias_of(head.boxes)])
    graph.product(hidden, _hidden_map(weight.shape[1]), _matrix(weight), _numbers(bias), ANSWERS)
    return graph.serialised([map_name(index) for index in range(len(maps))])


def _mixed(graph: _Graph, head: AnchorFreeHead, maps: Sequence[ByteMap]) -> str:
    """Add the sum of all levels at stride 8, as bytes; see `cloud.detector.head.fuse_levels`."""
    scale, shift = _scale_and_shift(head.mix[0])
    mixed, coarser = "", LEVELS
    for index in sorted(range(len(maps)), key=lambda index: (-(index % LEVELS), index)):
        weight = _matrix(as_convolution(head.adapters[index]).weight) * scale[:, None]
        own = graph.product(map_name(index), maps[index], weight, None if index else shift, f"adapted{index}")
        if mixed:
            grown = mixed if index % LEVELS == coarser else graph.doubled(mixed, own, len(weight))
            own = graph.add("Add", [grown, own], f"sum{index}")
        mixed, coarser = own, index % LEVELS
    return graph.to_bytes(mixed, _hidden_map(head.scores.in_channels))


def _hidden_map(channels: int) -> ByteMap:
    """Return what lies between layers: no byte is out of 0 to 6, so that it needs no other activation."""
    return ByteMap(channels, 6 / 255)


class _Graph:
    """A graph that grows; every method adds nodes and returns the name of what comes out."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        *,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401 - of any kind
    ) -> str:
        """Add a node."""
        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        """Add a constant."""
        self._constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def product(
        self, source: str, bytes_in: ByteMap, weight: Float32, bias: Float32 | None, output: str
    ) -> str:
        """Multiply a map of bytes, channels last, by a matrix `(out, in)`; real numbers come out."""
        steps, whole = _in_steps(weight)
        rows = np.zeros((bytes_in.channels, len(weight)), np.int8)
        rows[: weight.shape[1]] = whole.T
        inputs = [
            source,
            self.constant(f"{output}.weight", rows),
            self.constant(f"{output}.step", np.float32(bytes_in.step)),
            self.constant(f"{output}.steps", steps),
            self.constant(f"{output}.zero", np.uint8(bytes_in.zero)),
            "",
            "" if bias is None else self.constant(f"{output}.bias", bias),
        ]
        return self.add("MatMulIntegerToFloat", inputs, output, domain=_CONTRIB)

    def convolution(self, source: str, layer: nn.Conv2d, scale: Float32, shift: Float32, output: str) -> str:
        """Convolve hidden bytes with a layer and the normalisation after it; hidden bytes come out."""
        hidden = _hidden_map(layer.in_channels)
        steps, whole = _in_steps(_numbers(layer.weight) * scale[:, None, None, None])
        step, zero = self._of_hidden(hidden)
        inputs = [
            source, step, zero,
            self.constant(f"{output}.weight", whole),
            self.constant(f"{output}.steps", steps),
            self.constant(f"{output}.zeros", np.zeros(len(steps), np.int8)),
            step, zero,
            self.constant(f"{output}.bias", np.round(shift / (steps * hidden.step)).astype(np.int32)),
        ]  # fmt: skip
        pads = [*layer.padding, *layer.padding]
        return self.add(
            "QLinearConv", inputs, output, kernel_shape=list(layer.kernel_size), pads=pads, group=layer.groups
        )

    def doubled(self, coarse: str, fine: str, channels: int) -> str:
        """Enlarge a map by two, each cell into four, to the size of a finer one."""
        if not any(one.name == "cells" for one in self._constants):
            self.constant("cells", np.array([0, 0, -1, channels]))
            self.constant("rows", np.array([0, 0, -1]))
        across = self.add("Concat", [coarse, coarse], f"{coarse}.across", axis=3)
        wide = self.add("Reshape", [across, "cells"], f"{coarse}.wide")
        lines = self.add("Reshape", [wide, "rows"], f"{coarse}.lines")
        down = self.add("Concat", [lines, lines], f"{coarse}.down", axis=2)
        return self.add("Reshape", [down, self.add("Shape", [fine], f"{fine}.shape")], f"{coarse}.doubled")

    def to_bytes(self, source: str, hidden: ByteMap) -> str:
        """Cut real numbers to what is hidden, as bytes."""
        return self.add("QuantizeLinear", [source, *self._of_hidden(hidden)], f"{source}.bytes")

    def serialised(self, inputs: Sequence[str]) -> bytes:
        """Return it all as a model."""
        graph = helper.make_graph(
            self._nodes,
            "head",
            [
                helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", None, None, None])
                for name in inputs
            ],
            [helper.make_tensor_value_info(ANSWERS, TensorProto.FLOAT, ["n", "h", "w", None])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        return bytes(model.SerializeToString())

    def _of_hidden(self, hidden: ByteMap) -> tuple[str, str]:
        if not any(one.name == "hidden.step" for one in self._constants):
            self.constant("hidden.step", np.float32(hidden.step))
            self.constant("hidden.zero", np.uint8(hidden.zero))
        return "hidden.step", "hidden.zero"


def _in_steps(weight: Float32) -> tuple[Float32, Array]:
    """Return the step of each channel that comes out, and the weights in steps, from -127 to 127."""
    most = np.abs(weight).reshape(len(weight), -1).max(1)
    steps = np.where(most > 0, most / 127, 1).astype(np.float32)
    whole = np.round(weight / steps.reshape(-1, *[1] * (weight.ndim - 1)))
    return steps, whole.astype(np.int8)


def _scale_and_shift(norm: nn.Module) -> tuple[Float32, Float32]:
    """Return what a normalisation multiplies by and adds, a channel."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None or norm.running_mean is None:
        message = f"expected a normalisation with statistics, got {type(norm).__name__}"
        raise TypeError(message)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return _numbers(scale), _numbers(norm.bias - norm.running_mean * scale)


def _matrix(weight: torch.Tensor) -> Float32:
    return _numbers(weight[:, :, 0, 0])


def _numbers(tensor: torch.Tensor) -> Float32:
    values: Float32 = tensor.detach().cpu().numpy()
    return values
