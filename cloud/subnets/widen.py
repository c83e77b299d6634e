"""Rounds odd channel counts of a trunk up: ONNX Runtime blocks channels by 8 or 16, and is slow on others.

A pruned network has layers of 13 or 181 channels. Zero channels added to them change no answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

_ANY_BLOCK, _BLOCK = 8, 16
_KEEPS_ZERO = {"Relu", "Clip", "Identity"}


def widened(graph: bytes, *, any_block: int = _ANY_BLOCK, narrow: bool = True) -> bytes:
    """Return the same network with every convolution's width a multiple of 8.

    Args:
        graph: A serialised ONNX model as `load_graph` returns it.
        any_block: A width that is a multiple of this stays; others become multiples of 16.
        narrow: Give the network's outputs their true width again; else zero channels may follow.
    """
    model = onnx.load_from_string(graph)
    widening = _Widening(model.graph, any_block)
    for node in model.graph.node:
        widening.take(node)
    if narrow:
        widening.narrow_outputs([output.name for output in model.graph.output])
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(widening.nodes)
    used = {name for node in widening.nodes for name in node.input}
    model.graph.initializer.extend(one for name, one in widening.weights.items() if name in used)
    return bytes(model.SerializeToString())


class _Widening:
    """Walks through a network; `wide` maps a tensor to (its true width, its width now) where they differ."""

    def __init__(self, graph: onnx.GraphProto, any_block: int) -> None:
        self._any_block = any_block
        self.nodes: list[onnx.NodeProto] = []
        self.weights = {one.name: one for one in graph.initializer}
        self.wide: dict[str, tuple[int, int]] = {}

    def take(self, node: onnx.NodeProto) -> None:
        """Add a node, widened if it can be."""
        source = node.input[0] if node.input else ""
        if node.op_type == "Conv" and node.input[1] in self.weights:
            self._take_conv(node)
        elif node.op_type in _KEEPS_ZERO and self._zero_stays(node):
            self.nodes.append(node)
            if source in self.wide:
                self.wide[node.output[0]] = self.wide[source]
        elif node.op_type == "Add" and self._alike(node.input):
            self.nodes.append(node)
            self.wide[node.output[0]] = self.wide[source]
        else:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            for index, name in enumerate(node.input):
                copy.input[index] = self._narrow(name)
            self.nodes.append(copy)

    def narrow_outputs(self, names: Sequence[str]) -> None:
        """Give the network's outputs their true width again."""
        for name in names:
            if name in self.wide:
                inner = f"{name}.wide"
                for node in self.nodes:
                    node.input[:] = [inner if one == name else one for one in node.input]
                    node.output[:] = [inner if one == name else one for one in node.output]
                self._slice(inner, name, self.wide[name][0])

    def _take_conv(self, node: onnx.NodeProto) -> None:
        source, weight, *bias = node.input
        kernel = numpy_helper.to_array(self.weights[weight])
        group = next((one.i for one in node.attribute if one.name == "group"), 1)
        true, now = self.wide.get(source, (0, 0))
        outputs = kernel.shape[0]
        depthwise = group > 1 and kernel.shape[1] == 1 and group == outputs
        if group > 1 and not depthwise:
            self._take_as_is(node)
            return
        width = (now or outputs) if depthwise else self._rounded(outputs)
        inputs = now - true if not depthwise else 0
        if (width, inputs) == (outputs, 0):
            self.nodes.append(node)
            return
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        padded = np.pad(kernel, ((0, width - outputs), (0, inputs), (0, 0), (0, 0)))
        copy.input[1] = self._store(f"{node.output[0]}.weight", padded)
        if bias:
            values = numpy_helper.to_array(self.weights[bias[0]])
            copy.input[2] = self._store(f"{node.output[0]}.bias", np.pad(values, (0, width - outputs)))
        if depthwise:
            for one in copy.attribute:
                if one.name == "group":
                    one.i = width
        self.nodes.append(copy)
        if width != outputs:
            self.wide[node.output[0]] = (outputs, width)

    def _take_as_is(self, node: onnx.NodeProto) -> None:
        node.input[0] = self._narrow(node.input[0])
        self.nodes.append(node)

    def _alike(self, names: Sequence[str]) -> bool:
        """Return whether maps were widened by the same."""
        return names[0] in self.wide and all(self.wide.get(name) == self.wide[names[0]] for name in names)

    def _zero_stays(self, node: onnx.NodeProto) -> bool:
        """Return whether an activation maps 0 to 0."""
        if node.op_type != "Clip":
            return True
        lowest, highest = (self._scalar(node, index) for index in (1, 2))
        return (lowest is None or lowest <= 0) and (highest is None or highest >= 0)

    def _scalar(self, node: onnx.NodeProto, index: int) -> float | None:
        if len(node.input) <= index or not node.input[index]:
            return None
        given = self.weights.get(node.input[index])
        # Unknown bounds: say 1 .. -1, which is never harmless.
        return (1.0 if index == 1 else -1.0) if given is None else float(numpy_helper.to_array(given))

    def _narrow(self, name: str) -> str:
        if name not in self.wide:
            return name
        self._slice(name, f"{name}.narrow", self.wide[name][0])
        return f"{name}.narrow"

    def _slice(self, source: str, result: str, width: int) -> None:
        if any(result in node.output for node in self.nodes):
            return
        ends = self._store(f"{result}.end", np.array([width], np.int64))
        start = self._store("slice.start", np.array([0], np.int64))
        axis = self._store("slice.axis", np.array([1], np.int64))
        self.nodes.append(helper.make_node("Slice", [source, start, ends, axis], [result]))

    def _store(self, name: str, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def _rounded(self, width: int) -> int:
        return width if width % self._any_block == 0 else -(-width // _BLOCK) * _BLOCK
