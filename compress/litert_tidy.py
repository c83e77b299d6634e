"""A float TFLite file, tidied: it answers the same and runs quicker, also once it is int8.

The converter thinks in torch's order of axes (channels before places). Where two layers read a map of which
one pads, it leaves the padding between two turns of all axes. And kernels of int8 runtimes take channels by
the eight: of a picture's three, five more are computed for nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_Operator = Any
_SAME, _VALID = 0, 1
_RESHAPE_OPTIONS = 17
_CONV, _DEPTHWISE, _RESHAPE, _PAD, _TRANSPOSE = 3, 4, 22, 34, 39
_KINDS = {0: np.float32, 2: np.int32, 4: np.int64}
"""Numbers of the file format."""

_NO_TENSOR = -1
_FEW_CHANNELS = 4


def tidy(file: Path) -> None:
    """Write a float TFLite file anew, without turns and paddings that convolutions can do without."""
    tools: Any = importlib.import_module("ai_edge_litert.tools.flatbuffer_utils")
    model = tools.read_model(str(file))
    graph = _Graph(model)
    graph.undo_turns()
    graph.take_in_paddings()
    graph.pair_pixels()
    graph.drop_unused()
    tools.write_model(model, str(file))


class _Graph:
    """The first graph of a model, which is changed in place."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - the library's own types
        self._model, self._graph = model, model.subgraphs[0]

    def undo_turns(self) -> None:
        """Let readers of what was turned back read what was there before the first turn."""
        for operator in self._all(_TRANSPOSE):
            before = self._maker(operator.inputs[0], _TRANSPOSE)
            if before is not None and self._turn(before)[self._turn(operator)].tolist() == [0, 1, 2, 3]:
                self._replace(operator.outputs[0], before.inputs[0])

    def take_in_paddings(self) -> None:
        """Let convolutions pad for themselves, where that comes to the same."""
        for convolution in (*self._all(_CONV), *self._all(_DEPTHWISE)):
            padded = self._padded(convolution.inputs[0])
            if padded is None or convolution.builtinOptions.padding != _VALID:
                continue
            source, (none, high, wide, also_none) = padded
            own = self._same_padding(convolution, source)
            if [high, wide] == own and none == also_none == (0, 0):
                convolution.inputs[0] = source
                convolution.builtinOptions.padding = _SAME

    def drop_unused(self) -> None:
        """Drop operations whose answers nobody reads, and tensors that are in no operation."""
        used, kept = {*self._graph.inputs, *self._graph.outputs}, []
        for operator in reversed(self._graph.operators):
            if used.intersection(operator.outputs):
                used.update(operator.inputs, operator.outputs)
                kept.append(operator)
        self._graph.operators = kept[::-1]
        old = sorted(used - {_NO_TENSOR})
        self._graph.tensors = [self._graph.tensors[number] for number in old]
        self._renumber({before: now for now, before in enumerate(old)} | {_NO_TENSOR: _NO_TENSOR})

    def _renumber(self, now: Mapping[int, int]) -> None:
        for owner in (self._graph, *self._graph.operators):
            owner.inputs = [now[number] for number in owner.inputs]
            owner.outputs = [now[number] for number in owner.outputs]
        for signature in self._model.signatureDefs or []:
            for named in (*signature.inputs, *signature.outputs):
                named.tensorIndex = now[named.tensorIndex]

    def pair_pixels(self) -> None:
        """Let a first layer of stride 2 read two pixels as one of twice the channels: less is for nothing."""
        for convolution in self._all(_CONV):
            source, kernel = convolution.inputs[:2]
            options, (_, height, width, channels) = convolution.builtinOptions, self._shape(source)
            strides = options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor
            if (
                source not in self._graph.inputs
                or channels > _FEW_CHANNELS
                or width % 2
                or self._shape(kernel)[1:3] != (3, 3)
                or strides != (2, 2, 1, 1)
                or options.padding != _SAME
            ):
                continue
            weights = self._numbers(kernel)
            # SAME pads an even width on the right only: output x reads the pixels 2x, 2x + 1 and 2x + 2.
            paired = np.zeros((len(weights), 3, 2, 2 * channels), np.float32)
            paired[:, :, 0, :channels], paired[:, :, 0, channels:] = weights[:, :, 0], weights[:, :, 1]
            paired[:, :, 1, :channels] = weights[:, :, 2]
            convolution.inputs[0] = self._reshaped(convolution, [1, height, width // 2, 2 * channels])
            convolution.inputs[1] = self._constant(paired, self._name(kernel) + "_paired")
            options.strideW = 1

    def _all(self, code: int) -> list[_Operator]:
        return [operator for operator in self._graph.operators if self._code(operator) == code]

    def _code(self, operator: _Operator) -> int:
        found = self._model.operatorCodes[operator.opcodeIndex]
        return int(max(found.builtinCode, found.deprecatedBuiltinCode))

    def _maker(self, tensor: int, code: int) -> _Operator | None:
        return next((one for one in self._all(code) if tensor in one.outputs), None)

    def _replace(self, old: int, new: int) -> None:
        if old in self._graph.outputs:
            return
        for operator in self._graph.operators:
            operator.inputs = [new if one == old else one for one in operator.inputs]

    def _turn(self, operator: _Operator) -> npt.NDArray[Any]:
        return self._numbers(operator.inputs[1])

    def _shape(self, tensor: int) -> tuple[int, int, int, int]:
        first, second, third, fourth = map(int, self._graph.tensors[tensor].shape)
        return first, second, third, fourth

    def _name(self, tensor: int) -> str:
        return bytes(self._graph.tensors[tensor].name).decode()

    def _numbers(self, tensor: int) -> npt.NDArray[Any]:
        found = self._graph.tensors[tensor]
        data = bytes(self._model.buffers[found.buffer].data)
        return np.frombuffer(data, _KINDS[found.type]).reshape(tuple(map(int, found.shape)))

    def _padded(self, tensor: int) -> tuple[int, list[tuple[int, int]]] | None:
        """Return what was padded to make a tensor, and by how much on both ends of its own four axes."""
        turned_back = self._maker(tensor, _TRANSPOSE)
        pad = self._maker(turned_back.inputs[0] if turned_back is not None else tensor, _PAD)
        if pad is None:
            return None
        ends = [(int(low), int(high)) for low, high in self._numbers(pad.inputs[1])]
        if turned_back is None:
            return pad.inputs[0], ends
        turned = self._maker(pad.inputs[0], _TRANSPOSE)
        back = self._turn(turned_back)
        if turned is None or self._turn(turned)[back].tolist() != [0, 1, 2, 3]:
            return None
        return turned.inputs[0], [ends[axis] for axis in back]

    def _same_padding(self, convolution: _Operator, source: int) -> list[tuple[int, int]]:
        """Return what SAME adds before and behind in height and in width."""
        options = convolution.builtinOptions
        _, height, width, _ = self._shape(source)
        _, high, wide, _ = self._shape(convolution.inputs[1])
        reach = (high - 1) * options.dilationHFactor + 1, (wide - 1) * options.dilationWFactor + 1
        sides = zip((height, width), reach, (options.strideH, options.strideW), strict=True)
        missing = [max(0, (-(-side // step) - 1) * step + seen - side) for side, seen, step in sides]
        return [(all_of_it // 2, all_of_it - all_of_it // 2) for all_of_it in missing]

    def _constant(self, numbers: npt.NDArray[Any], name: str) -> int:
        schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        kind = next(kind for kind, dtype in _KINDS.items() if numbers.dtype == dtype)
        return self._tensor(numbers.shape, kind, name, len(self._model.buffers) - 1)

    def _tensor(self, shape: Sequence[int], kind: int, name: str, buffer: int = 0) -> int:
        schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name, tensor.buffer = list(shape), kind, name.encode(), buffer
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _reshaped(self, reader: _Operator, shape: list[int]) -> int:
        """Return a reader's input in another shape, made by a new operation right before the reader."""
        schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
        source, codes = reader.inputs[0], self._model.operatorCodes
        name = self._name(reader.outputs[0])
        made = self._tensor(shape, self._graph.tensors[source].type, f"{name}_pairs")
        operator = schema.OperatorT()
        operator.inputs = [source, self._constant(np.array(shape, np.int32), f"{name}_pairs_shape")]
        operator.outputs = [made]
        operator.builtinOptionsType = _RESHAPE_OPTIONS
        operator.builtinOptions = schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = shape
        known = [self._code(one) for one in self._graph.operators]
        if _RESHAPE in known:
            operator.opcodeIndex = self._graph.operators[known.index(_RESHAPE)].opcodeIndex
        else:
            code = schema.OperatorCodeT()
            code.deprecatedBuiltinCode = code.builtinCode = _RESHAPE
            codes.append(code)
            operator.opcodeIndex = len(codes) - 1
        place = next(i for i, one in enumerate(self._graph.operators) if one is reader)
        self._graph.operators.insert(place, operator)
        return made
