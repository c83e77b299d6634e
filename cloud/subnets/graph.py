"""Networks as ONNX graphs while they are read, cut and changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT_NAME = "image"
OUTPUT_NAMES = ("stride8", "stride16", "stride32")
OPSET = 17
_IR_VERSION = 8

Array = npt.NDArray[Any]

OPERATORS = frozenset(
    {
        *("Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Conv", "Div", "GlobalAveragePool"),
        *("HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "MaxPool", "Mul", "PRelu", "Pad"),
        *("ReduceMean", "Relu", "Resize", "Sigmoid", "Slice", "Split", "Sub", "Tanh", "Transpose"),
    }
)
"""What a trunk may be made of: each is known to ONNX Runtime and to `cloud.subnets.interpreter`."""


@dataclass
class Network:
    """Nodes in the order in which they run, and constants by name.

    `lacking` names the operators of the file that no reader knows: they, and all behind them, were left out.
    """

    input_name: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    channels_last: bool = False
    opset: int = OPSET
    lacking: list[str] = field(default_factory=list)

    def constant(self, name: str, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Keep a constant and return its name."""
        self.weights[name] = np.asarray(values, dtype)
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:  # noqa: ANN401 - of any kind
        """Add a node with one output and return the name of that."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def serialised(self, outputs: Sequence[str], *, input_shape: Sequence[int | str] | None = None) -> bytes:
        """Return the network as an ONNX model."""
        shape = input_shape or (["n", "h", "w", 3] if self.channels_last else ["n", 3, "h", "w"])
        graph = helper.make_graph(
            self.nodes,
            "trunk",
            [helper.make_tensor_value_info(self.input_name, TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(values, name) for name, values in self.weights.items()],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        return bytes(model.SerializeToString())


def network_of(model: onnx.ModelProto) -> Network:
    """Return a network from an ONNX model with one input, as it is."""
    weights = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    inputs = [one.name for one in model.graph.input if one.name not in weights]
    opset = next((one.version for one in model.opset_import if not one.domain), OPSET)
    return Network(inputs[0], list(model.graph.node), weights, opset=opset)


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:  # noqa: ANN401 - of any kind
    """Return an attribute of a node, or what it is when left out."""
    for one in node.attribute:
        if one.name == name:
            return helper.get_attribute_value(one)
    return default


def ancestors(nodes: Sequence[onnx.NodeProto], tensors: Iterable[str]) -> set[str]:
    """Return the tensors that these are made from, themselves included."""
    wanted = set(tensors)
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
    return wanted - {""}


def same_pads(kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """Return TensorFlow's SAME padding (top, left, bottom, right) where strides divide the size."""
    totals = [
        max((size - 1) * dilation + 1 - stride, 0)
        for size, stride, dilation in zip(kernel, strides, dilations, strict=True)
    ]
    return [total // 2 for total in totals] + [total - total // 2 for total in totals]
