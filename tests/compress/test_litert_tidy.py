"""A tidied TFLite file answers the same, with fewer operations."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from compress.litert_tidy import tidy
from edge_agent.runtime.litert import LITERT_MODULE

CODES = {"CONV_2D": 3, "RESHAPE": 22, "PAD": 34, "TRANSPOSE": 39}
TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


class Handmade:
    """A TFLite file from operations, as the converter writes them."""

    def __init__(self) -> None:
        self.schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
        self.model = self.schema.ModelT()
        self.model.version = 3
        self.model.buffers = [self.schema.BufferT()]
        self.graph = self.schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]
        self.model.operatorCodes = []
        for number in CODES.values():
            code = self.schema.OperatorCodeT()
            code.deprecatedBuiltinCode = code.builtinCode = number
            self.model.operatorCodes.append(code)

    def tensor(self, shape: tuple[int, ...]) -> int:
        return self._tensor(shape, 0, self.schema.TensorType.FLOAT32)

    def constant(self, numbers: npt.NDArray[np.generic]) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        floats = numbers.dtype == np.float32
        kind = self.schema.TensorType.FLOAT32 if floats else self.schema.TensorType.INT32
        return self._tensor(numbers.shape, len(self.model.buffers) - 1, kind)

    def _tensor(self, shape: tuple[int, ...], buffer: int, kind: int) -> int:
        tensor = self.schema.TensorT()
        tensor.shape, tensor.buffer, tensor.type = list(shape), buffer, kind
        tensor.name = f"tensor_{len(self.graph.tensors)}".encode()
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add(self, name: str, inputs: list[int], shape: tuple[int, ...], **options: int) -> int:
        operator = self.schema.OperatorT()
        operator.opcodeIndex = list(CODES).index(name)
        operator.inputs, operator.outputs = inputs, [self.tensor(shape)]
        if name == "CONV_2D":
            operator.builtinOptionsType = self.schema.BuiltinOptions.Conv2DOptions
            operator.builtinOptions = self.schema.Conv2DOptionsT()
            for option, value in options.items():
                setattr(operator.builtinOptions, option, value)
        self.graph.operators.append(operator)
        return int(operator.outputs[0])

    def convolution(
        self, source: int, weights: tuple[int, ...], shape: tuple[int, ...], stride: int, padding: int
    ) -> int:
        random = np.random.default_rng(len(self.graph.tensors))
        kernel = self.constant(random.normal(size=weights).astype(np.float32))
        bias = self.constant(random.normal(size=weights[0]).astype(np.float32))
        inputs = [source, kernel, bias]
        return self.add("CONV_2D", inputs, shape, strideH=stride, strideW=stride, padding=padding)

    def turn(self, source: int, axes: tuple[int, ...], shape: tuple[int, ...]) -> int:
        return self.add("TRANSPOSE", [source, self.constant(np.array(axes, np.int32))], shape)


def _write(file: Path, ends: tuple[int, int]) -> None:
    """Write a first layer and two that read its answer, one padded at `ends`, in torch's order of axes."""
    made = Handmade()
    picture = made.tensor((1, 8, 12, 3))
    first = made.convolution(picture, (4, 3, 3, 3), (1, 4, 6, 4), stride=2, padding=0)
    turned = made.turn(first, TO_NCHW, (1, 4, 4, 6))
    pads = made.constant(np.array([(0, 0), (0, 0), ends, ends], np.int32))
    padded = made.add("PAD", [turned, pads], (1, 4, 5, 7))
    back = made.turn(padded, TO_NHWC, (1, 5, 7, 4))
    small = made.convolution(back, (2, 3, 3, 4), (1, 2, 3, 2), stride=2, padding=1)
    again = made.turn(turned, TO_NHWC, (1, 4, 6, 4))
    same = made.convolution(again, (2, 1, 1, 4), (1, 4, 6, 2), stride=1, padding=1)
    made.graph.inputs, made.graph.outputs = [picture], [small, same]
    tools: Any = importlib.import_module("ai_edge_litert.tools.flatbuffer_utils")
    tools.write_model(made.model, str(file))


def _answers(file: Path) -> list[Any]:
    interpreter: Any = importlib.import_module(LITERT_MODULE).Interpreter(model_path=str(file), num_threads=1)
    interpreter.allocate_tensors()
    (takes,) = interpreter.get_input_details()
    picture = np.random.default_rng(0).normal(size=takes["shape"]).astype(np.float32)
    interpreter.set_tensor(takes["index"], picture)
    interpreter.invoke()
    return [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]


def _operations(file: Path) -> list[str]:
    tools: Any = importlib.import_module("ai_edge_litert.tools.flatbuffer_utils")
    model = tools.read_model(str(file))
    return [tools.opcode_to_name(model, one.opcodeIndex) for one in model.subgraphs[0].operators]


@pytest.mark.parametrize(
    ("ends", "left"),
    [
        ((0, 1), ["RESHAPE", "CONV_2D", "CONV_2D", "CONV_2D"]),
        ((1, 0), ["RESHAPE", "CONV_2D", "TRANSPOSE", "PAD", "TRANSPOSE", "CONV_2D", "CONV_2D"]),
    ],
)
def test_tidy_keeps_only_paddings_that_no_convolution_can_take_in(
    ends: tuple[int, int], left: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "float.tflite"
    _write(file, ends)
    before = _answers(file)

    tidy(file)

    assert _operations(file) == left
    for expected, found in zip(before, _answers(file), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
