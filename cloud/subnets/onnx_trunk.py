"""The trunk written as an ONNX graph by hand: a second to make, and without tracing.

ONNX Runtime runs it about four times faster than torch does on a processor without AMX: it blocks channels
(NCHWc) and fuses activation and addition into the convolution.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cloud.subnets.adapters.inverted_residual import ConvBn, InvertedResidual, InvertedResidualTrunk
from cloud.subnets.graph import INPUT_NAME, OUTPUT_NAMES

_OPSET = 17
_IR_VERSION = 8


class _GraphBuilder:
    """Collects nodes and weights; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = [
            numpy_helper.from_array(np.array(0.0, np.float32), "zero"),
            numpy_helper.from_array(np.array(6.0, np.float32), "six"),
        ]

    def conv(self, layer: ConvBn, source: str, name: str, *, output: str | None = None) -> str:
        """Add convolution with folded normalisation, and ReLU6 where the layer has it."""
        folded = (
            fuse_conv_bn_eval(layer.conv, layer.bn) if isinstance(layer.bn, nn.BatchNorm2d) else layer.conv
        )
        bias = folded.bias
        if bias is None:
            message = f"layer {name} has neither bias nor batch normalisation"
            raise ValueError(message)
        self.weights += [
            numpy_helper.from_array(folded.weight.detach().numpy(), f"{name}.weight"),
            numpy_helper.from_array(bias.detach().numpy(), f"{name}.bias"),
        ]
        inputs = [source, f"{name}.weight", f"{name}.bias"]
        stride, kernel = folded.stride[0], folded.kernel_size[0]
        total = kernel - stride if layer.stride > 1 else kernel - 1
        before = total // 2
        result = f"{name}.sum" if layer.relu else (output or name)
        self.nodes.append(
            helper.make_node(
                "Conv",
                inputs,
                [result],
                kernel_shape=[kernel, kernel],
                strides=[stride, stride],
                pads=[before, before, total - before, total - before],
                group=folded.groups,
            )
        )
        return self.clip(result, output or name) if layer.relu else result

    def clip(self, source: str, name: str) -> str:
        """Add ReLU6."""
        self.nodes.append(helper.make_node("Clip", [source, "zero", "six"], [name]))
        return name

    def add(self, left: str, right: str, name: str) -> str:
        """Add an addition."""
        self.nodes.append(helper.make_node("Add", [left, right], [name]))
        return name

    def block(self, block: InvertedResidual, source: str, name: str, *, tap: str | None) -> tuple[str, str]:
        """Add an inverted residual; return the names of its output and of its expanded input."""
        expanded = source
        if isinstance(block.expand, ConvBn):
            expanded = self.conv(block.expand, source, f"{name}.expand", output=tap)
        filtered = self.conv(block.depthwise, expanded, f"{name}.depthwise")
        projected = self.conv(block.project, filtered, f"{name}.project")
        return (self.add(source, projected, f"{name}.out") if block.residual else projected), expanded


def onnx_trunk(trunk: InvertedResidualTrunk) -> bytes:
    """Return the trunk (in eval mode) as a serialised ONNX model.

    Input `image (n, 3, h, w) float32`; outputs as `InvertedResidualTrunk.forward`, named `OUTPUT_NAMES`.
    """
    graph = _GraphBuilder()
    x = graph.conv(trunk.stem, INPUT_NAME, "stem")
    taps = dict(zip(trunk.plan.tapped, OUTPUT_NAMES, strict=False))
    for index, block in enumerate(trunk.residuals()):
        x, _ = graph.block(block, x, f"block{index}", tap=taps.get(index))
    if isinstance(trunk.last, ConvBn):
        x = graph.conv(trunk.last, x, "last")
    graph.nodes.append(helper.make_node("Identity", [x], [OUTPUT_NAMES[2]]))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "trunk",
            [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["n", 3, "h", "w"])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in OUTPUT_NAMES],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    return bytes(model.SerializeToString())
