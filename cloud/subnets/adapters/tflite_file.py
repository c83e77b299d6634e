"""TFLite files that users bring: the operators of convolutional networks, in floats, become ONNX.

TFLite keeps pictures NHWC; the result is NCHW. SAME padding is written out for sizes that strides divide.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cloud.errors import InputError
from cloud.subnets.graph import Array, Network, same_pads

_TO_NCHW = (0, 3, 1, 2)
_AXES = {0: 0, 1: 2, 2: 3, 3: 1, -1: 1, -2: 3, -3: 2}
_RANK = 4


def read(path: Path) -> Network:
    """Return the network of a TFLite file, as far as its operators are known.

    Raises:
        InputError: It is damaged, quantized, or has not one picture as its input.
    """
    try:
        return _Reader(path).network()
    except (struct.error, IndexError, TypeError, ValueError, AttributeError, KeyError) as error:
        message = f"{path}: not a TFLite file, or damaged"
        raise InputError(message) from error


class _LackingError(Exception):
    """An operator, or a use of it, that is not known."""


class _Reader:
    """Goes through the operators of a file."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._path = path
        content = path.read_bytes()
        if content[4:8] != b"TFL3":
            message = "no TFLite mark"
            raise ValueError(message)
        tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        self._buffers = tree.buffers
        self._graph = tree.subgraphs[0]
        self._codes = [max(one.builtinCode, one.deprecatedBuiltinCode) for one in tree.operatorCodes]
        self._operators = {
            number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)
        }
        self._constants: dict[int, Array] = {}
        self._net = Network("input")

    def network(self) -> Network:
        """Return what could be read."""
        self._check_input()
        known = {int(self._graph.inputs[0]): "input"}
        for node in self._graph.operators:
            name = self._operators[self._codes[node.opcodeIndex]]
            tensors = [int(one) for one in node.inputs if one >= 0]
            if name == "DEQUANTIZE" and self._constant(tensors[0]) is not None:
                self._constants[int(node.outputs[0])] = self._value(tensors[0])
            elif all(one in known or self._constant(one) is not None for one in tensors):
                try:
                    known[int(node.outputs[0])] = self._convert(name, node, known)
                except _LackingError:
                    self._net.lacking.append(name)
        return self._net

    def _check_input(self) -> None:
        tensor = self._graph.tensors[self._graph.inputs[0]]
        shape = [int(one) for one in tensor.shape]
        if tensor.type != self._schema.TensorType.FLOAT32:
            message = f"{self._path}: takes whole numbers (it is quantized); bring the float version"
            raise InputError(message)
        if len(self._graph.inputs) != 1 or len(shape) != _RANK or shape[3] != 3:
            message = f"{self._path}: its input {shape} is no picture (1, h, w, 3)"
            raise InputError(message)

    def _constant(self, index: int) -> Array | None:
        """Return a constant of the file, none if the tensor is none."""
        if index not in self._constants:
            tensor = self._graph.tensors[index]
            data = self._buffers[tensor.buffer].data
            kinds = {
                self._schema.TensorType.FLOAT32: np.float32,
                self._schema.TensorType.FLOAT16: np.float16,
                self._schema.TensorType.INT32: np.int32,
                self._schema.TensorType.INT64: np.int64,
            }
            if data is None or len(data) == 0 or tensor.type not in kinds:
                return None
            values = np.frombuffer(bytes(data), kinds[tensor.type]).reshape(
                [int(one) for one in tensor.shape]
            )
            self._constants[index] = values.astype(np.float32) if values.dtype.kind == "f" else values
        return self._constants[index]

    def _value(self, index: int) -> Array:
        values = self._constant(index)
        if values is None:
            raise _LackingError
        return values

    def _convert(self, name: str, node: Any, known: dict[int, str]) -> str:  # noqa: ANN401 - generated code
        if name not in _CONVERTERS:
            raise _LackingError
        index = int(node.outputs[0])
        output = f"{self._graph.tensors[index].name.decode()}:{index}"
        activation = getattr(node.builtinOptions, "fusedActivationFunction", 0)
        inner = output if activation == 0 else f"{output}.sum"
        _CONVERTERS[name](self, node, known, inner)
        return output if activation == 0 else self._activate(activation, inner, output)

    def _activate(self, activation: int, source: str, output: str) -> str:
        kinds = self._schema.ActivationFunctionType
        if activation == kinds.RELU:
            return self._net.add("Relu", [source], output)
        if activation == kinds.RELU6:
            return self._clip(source, output, 6.0)
        if activation == kinds.TANH:
            return self._net.add("Tanh", [source], output)
        raise _LackingError

    def _clip(self, source: str, output: str, highest: float) -> str:
        bounds = [self._net.constant("zero", 0.0), self._net.constant(f"bound.{highest}", highest)]
        return self._net.add("Clip", [source, *bounds], output)

    def conv(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a convolution or a depthwise one."""
        weight = self._value(int(node.inputs[1]))
        options = node.builtinOptions
        multiplier = getattr(options, "depthMultiplier", None)
        group = weight.shape[3] // multiplier if multiplier else 1
        if multiplier is None and self._channels(int(node.inputs[0])) != weight.shape[3]:
            raise _LackingError  # grouped without being depthwise
        order = (3, 0, 1, 2) if multiplier else (0, 3, 1, 2)
        inputs = [known[int(node.inputs[0])], self._net.constant(f"{output}.w", weight.transpose(order))]
        if len(node.inputs) > 2 and node.inputs[2] >= 0:
            inputs.append(self._net.constant(f"{output}.b", self._value(int(node.inputs[2]))))
        strides = [options.strideH, options.strideW]
        dilations = [options.dilationHFactor, options.dilationWFactor]
        kernel = list(weight.shape[1:3])
        pads = self._pads(options.padding, kernel, strides, dilations)
        self._net.add(
            "Conv",
            inputs,
            output,
            kernel_shape=kernel,
            strides=strides,
            dilations=dilations,
            pads=pads,
            group=group,
        )

    def _channels(self, index: int) -> int:
        return int(self._graph.tensors[index].shape[3])

    def _pads(self, how: int, kernel: list[int], strides: list[int], dilations: list[int]) -> list[int]:
        same = how == self._schema.Padding.SAME
        return same_pads(kernel, strides, dilations) if same else [0, 0, 0, 0]

    def pool(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a pooling."""
        options = node.builtinOptions
        kernel, strides = [options.filterHeight, options.filterWidth], [options.strideH, options.strideW]
        pads = self._pads(options.padding, kernel, strides, [1, 1])
        average = self._operators[self._codes[node.opcodeIndex]] == "AVERAGE_POOL_2D"
        if average and pads[:2] != pads[2:]:
            raise _LackingError
        operator = "AveragePool" if average else "MaxPool"
        source = [known[int(node.inputs[0])]]
        self._net.add(operator, source, output, kernel_shape=kernel, strides=strides, pads=pads)

    def elementwise(self, operator: str, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a sum, difference, product or quotient; one side may be a constant a channel."""
        inputs = []
        for place, index in enumerate(int(one) for one in node.inputs):
            values = self._constant(index)
            if values is None:
                inputs.append(known[index])
                continue
            full = values.reshape((1,) * (_RANK - values.ndim) + values.shape).transpose(_TO_NCHW)
            inputs.append(self._net.constant(f"{output}.c{place}", full))
        self._net.add(operator, inputs, output)

    def simple(self, operator: str, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add an activation."""
        self._net.add(operator, [known[int(node.inputs[0])]], output)

    def relu6(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a ReLU6."""
        self._clip(known[int(node.inputs[0])], output, 6.0)

    def leaky(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a leaky ReLU."""
        self._net.add("LeakyRelu", [known[int(node.inputs[0])]], output, alpha=node.builtinOptions.alpha)

    def prelu(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a ReLU with a learned slope a channel."""
        slope = self._value(int(node.inputs[1])).reshape(-1, 1, 1)
        self._net.add("PRelu", [known[int(node.inputs[0])], self._net.constant(f"{output}.s", slope)], output)

    def pad(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a border of zeros."""
        amounts = self._value(int(node.inputs[1]))[list(_TO_NCHW)]
        pads = self._net.constant(f"{output}.p", amounts.T.reshape(-1), np.int64)
        self._net.add("Pad", [known[int(node.inputs[0])], pads], output)

    def concat(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a concatenation."""
        inputs = [known[int(one)] for one in node.inputs]
        self._net.add("Concat", inputs, output, axis=_AXES[node.builtinOptions.axis])

    def mean(self, node: Any, known: dict[int, str], output: str) -> None:  # noqa: ANN401
        """Add a mean over the picture."""
        axes = [_AXES[int(one)] for one in self._value(int(node.inputs[1])).reshape(-1)]
        if not node.builtinOptions.keepDims or sorted(axes) != [2, 3]:
            raise _LackingError
        self._net.add("GlobalAveragePool", [known[int(node.inputs[0])]], output)


_Converter = Callable[[_Reader, Any, dict[int, str], str], None]


def _elementwise(operator: str) -> _Converter:
    return lambda reader, node, known, output: reader.elementwise(operator, node, known, output)


def _simple(operator: str) -> _Converter:
    return lambda reader, node, known, output: reader.simple(operator, node, known, output)


_CONVERTERS: dict[str, _Converter] = {
    "ADD": _elementwise("Add"),
    "AVERAGE_POOL_2D": _Reader.pool,
    "CONCATENATION": _Reader.concat,
    "CONV_2D": _Reader.conv,
    "DEPTHWISE_CONV_2D": _Reader.conv,
    "DIV": _elementwise("Div"),
    "HARD_SWISH": _simple("HardSwish"),
    "LEAKY_RELU": _Reader.leaky,
    "LOGISTIC": _simple("Sigmoid"),
    "MAX_POOL_2D": _Reader.pool,
    "MEAN": _Reader.mean,
    "MUL": _elementwise("Mul"),
    "PAD": _Reader.pad,
    "PRELU": _Reader.prelu,
    "RELU": _simple("Relu"),
    "RELU6": _Reader.relu6,
    "SUB": _elementwise("Sub"),
    "TANH": _simple("Tanh"),
}
