"""What a trunk costs: counted on its ONNX graph, so the same way for every kind of subnet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx
from onnx import shape_inference

from cloud.subnets.manifest import MACS_AT_PX

_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


@dataclass(frozen=True)
class Cost:
    """Numbers of a trunk; `macs` are multiply-accumulates of one 512x384 picture."""

    parameters: int
    macs: int


def count(graph: bytes) -> Cost:
    """Return what a trunk costs.

    Args:
        graph: A serialised ONNX model as `load_graph` returns it.
    """
    model = onnx.load_from_string(graph)
    shapes = _shapes(model, MACS_AT_PX)
    weights = {one.name: tuple(one.dims) for one in model.graph.initializer}
    macs = 0
    for node in model.graph.node:
        if node.op_type in _WEIGHTED:
            macs += _macs(node, shapes, weights)
    floats = (one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT)
    return Cost(sum(math.prod(one.dims) for one in floats if one.dims), macs)


def _macs(
    node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]], weights: dict[str, tuple[int, ...]]
) -> int:
    kernel = weights.get(node.input[1]) or shapes.get(node.input[1], ())
    output = shapes.get(node.output[0], ())
    if node.op_type == "Conv":
        return math.prod(output[1:]) * math.prod(kernel[1:])
    if node.op_type == "ConvTranspose":
        source = shapes.get(node.input[0], ())
        return math.prod(source[1:]) * math.prod(kernel[1:])
    return math.prod(output[1:]) * (kernel[0] if kernel else 0)


def _shapes(model: onnx.ModelProto, size_px: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors for one picture of this size."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    width_px, height_px = size_px
    for value, size in zip(
        copy.graph.input[0].type.tensor_type.shape.dim, (1, 3, height_px, width_px), strict=True
    ):
        value.dim_value = size
    inferred = shape_inference.infer_shapes(copy, data_prop=True).graph
    return {
        value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
