"""The layers of a TFLite network, read straight from its flatbuffer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema  # noqa: TID253 - only the maker of the starter loads this

from compress.errors import ExportError
from edge_agent.vision.arrays import Float32

_TENSOR_DTYPES = {schema.TensorType.FLOAT16: np.float16, schema.TensorType.FLOAT32: np.float32}


@dataclass(frozen=True)
class ConvLayer:
    """One convolution with its batch norm already folded in.

    `kernel` is `(out, height, width, in)`, for depthwise layers `(1, height, width, channels)`; `bias` is
    `(out,)`.
    """

    kernel: Float32
    bias: Float32
    stride: int
    depthwise: bool
    relu6: bool


def read_conv_layers(model: bytes) -> list[ConvLayer]:
    """Return all convolutions in the order in which they run.

    Args:
        model: A .tflite file whose weights are float32, or float16 behind DEQUANTIZE.

    Raises:
        ExportError: It holds a convolution of a kind that this reader does not know.
    """
    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    graph = tree.subgraphs[0]
    codes = [code.builtinCode for code in tree.operatorCodes]
    float16_of = {
        operator.outputs[0]: operator.inputs[0]
        for operator in graph.operators
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.DEQUANTIZE
    }
    return [
        _layer(tree, operator, float16_of, depthwise=code == schema.BuiltinOperator.DEPTHWISE_CONV_2D)
        for operator in graph.operators
        if (code := codes[operator.opcodeIndex])
        in {schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D}
    ]


def tensors_behind_output(model: bytes, output: int) -> list[str]:
    """Return the names of an output and of all tensors that are only joined or reshaped into it."""
    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    graph = tree.subgraphs[0]
    codes = [code.builtinCode for code in tree.operatorCodes]
    moves = {
        operator.outputs[0]: operator.inputs
        for operator in graph.operators
        if codes[operator.opcodeIndex]
        in {schema.BuiltinOperator.CONCATENATION, schema.BuiltinOperator.RESHAPE}
    }
    found, waiting = [], [graph.outputs[output]]
    while waiting:
        index = waiting.pop()
        if graph.tensors[index].type == schema.TensorType.FLOAT32:  # not a shape
            found.append(graph.tensors[index].name.decode())
            waiting += list(moves.get(index, ()))
    return found


def _layer(tree: Any, operator: Any, float16_of: Mapping[int, int], *, depthwise: bool) -> ConvLayer:  # noqa: ANN401 - generated code without types
    options = operator.builtinOptions
    activation = options.fusedActivationFunction
    known = activation in {schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU6}
    if options.padding != schema.Padding.SAME or options.strideW != options.strideH or not known:
        message = "a convolution has no SAME padding, square stride or ReLU6: not the expected file"
        raise ExportError(message)
    return ConvLayer(
        kernel=_constant(tree, float16_of.get(operator.inputs[1], operator.inputs[1])),
        bias=_constant(tree, float16_of.get(operator.inputs[2], operator.inputs[2])),
        stride=int(options.strideW),
        depthwise=depthwise,
        relu6=activation == schema.ActivationFunctionType.RELU6,
    )


def _constant(tree: Any, index: int) -> Float32:  # noqa: ANN401 - generated code without types
    tensor = tree.subgraphs[0].tensors[index]
    dtype = _TENSOR_DTYPES.get(tensor.type)
    content = tree.buffers[tensor.buffer].data
    if dtype is None or content is None:
        message = f"tensor {tensor.name!r} is no float constant: not the expected file"
        raise ExportError(message)
    values = np.frombuffer(bytes(content), dtype).reshape(tuple(tensor.shape))
    return values.astype(np.float32)
