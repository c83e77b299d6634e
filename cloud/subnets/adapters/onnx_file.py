"""ONNX files that users bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper, version_converter
from onnx.reference import ReferenceEvaluator

from cloud.errors import InputError
from cloud.subnets.graph import OPERATORS, OPSET, Array, Network, attribute, network_of, same_pads

_OLDEST_OPSET, _NEWEST_OPSET = 11, 25
_RGB = 3
_MAX_FOLDED = 10_000
_FOLDED = {
    *("Add", "Cast", "Concat", "ConstantOfShape", "Div", "Gather", "Mul", "Reshape", "Slice", "Squeeze"),
    *("Sub", "Transpose", "Unsqueeze"),
}
_WINDOWED = {"Conv", "MaxPool", "AveragePool"}


def read(path: Path) -> Network:
    """Return the network of an ONNX file, as far as its operators are known.

    Raises:
        InputError: It is damaged, keeps weights in other files, or has not one picture as its input.
    """
    try:
        return _read(path)
    except (DecodeError, TypeError, ValueError, LookupError, AttributeError, RuntimeError) as error:
        message = f"{path}: not an ONNX file, or damaged"
        raise InputError(message) from error


def _read(path: Path) -> Network:
    model = onnx.load_from_string(path.read_bytes())
    _check(path, model)
    opset = next((one.version for one in model.opset_import if not one.domain), 0)
    if opset < _OLDEST_OPSET:
        model = version_converter.convert_version(model, OPSET)
    network = network_of(model)
    network.channels_last = _is_channels_last(path, model, network.input_name)
    _settle(network)
    return network


def _check(path: Path, model: onnx.ModelProto) -> None:
    graph = model.graph
    if any(one.data_location == TensorProto.EXTERNAL for one in graph.initializer):
        message = f"{path}: keeps its weights in another file; save it as one file (onnx.save_model)"
        raise InputError(message)
    opset = next((one.version for one in model.opset_import if not one.domain), 0)
    if not 1 <= opset <= _NEWEST_OPSET or model.functions:
        message = f"{path}: opset {opset} or functions of its own; export it with opset {OPSET}"
        raise InputError(message)


def _is_channels_last(path: Path, model: onnx.ModelProto, name: str) -> bool:
    weights = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in weights]
    tensor = inputs[0].type.tensor_type if len(inputs) == 1 else None
    dims = [dim.dim_value for dim in tensor.shape.dim] if tensor else []
    is_float = tensor is not None and tensor.elem_type == TensorProto.FLOAT
    if len(dims) == 4 and is_float and _RGB in {dims[1], dims[3]}:
        return bool(dims[1] != _RGB)
    message = f"{path}: input {name!r} is no float picture of 3 channels: (n, 3, h, w) or (n, h, w, 3)"
    raise InputError(message)


def _settle(network: Network) -> None:
    """Keep the nodes whose operators are known; make constants and padding plain."""
    nodes, network.nodes = network.nodes, []
    known = {network.input_name, *network.weights, ""}
    for node in nodes:
        if node.op_type == "Constant" and attribute(node, "value") is not None:
            network.weights[node.output[0]] = numpy_helper.to_array(attribute(node, "value"))
            known.add(node.output[0])
        elif not known.issuperset(node.input):
            continue
        elif (values := _folded(node, network)) is not None:
            network.weights[node.output[0]] = values
            known.add(node.output[0])
        elif node.op_type not in OPERATORS or node.domain not in {"", "ai.onnx"}:
            network.lacking.append(str(node.op_type))
        else:
            network.nodes.append(_plain_padding(node, network))
            known.update(node.output)


def _folded(node: onnx.NodeProto, network: Network) -> Array | None:
    """Return what a node makes of constants alone: exporters compute sizes of borders that way."""
    given = {name: network.weights[name] for name in node.input if name in network.weights}
    if node.op_type not in _FOLDED or len(given) < len([name for name in node.input if name]):
        return None
    made = given[node.input[0]] if node.op_type == "ConstantOfShape" else np.empty(0)
    if max(int(np.prod(made, dtype=float)), *(one.size for one in given.values())) > _MAX_FOLDED:
        return None
    names = [onnx.helper.make_empty_tensor_value_info(name) for name in (*given, node.output[0])]
    graph = onnx.helper.make_graph([node], "constant", names[:-1], names[-1:])
    opsets = [onnx.helper.make_opsetid("", network.opset)]
    model = onnx.helper.make_model(graph, opset_imports=opsets)
    answers: Any = ReferenceEvaluator(model).run(None, given)
    return np.asarray(answers[0])


def _plain_padding(node: onnx.NodeProto, network: Network) -> onnx.NodeProto:
    how = attribute(node, "auto_pad", b"NOTSET")
    if node.op_type not in _WINDOWED or how in {b"NOTSET", b"VALID"}:
        return node
    kernel = attribute(node, "kernel_shape")
    if kernel is None:
        kernel = network.weights[node.input[1]].shape[2:]
    ones = [1] * len(kernel)
    pads = same_pads(kernel, attribute(node, "strides", ones), attribute(node, "dilations", ones))
    if how == b"SAME_LOWER":
        pads = pads[2:] + pads[:2]
    plain = onnx.NodeProto()
    plain.CopyFrom(node)
    del plain.attribute[:]
    plain.attribute.extend(one for one in node.attribute if one.name not in {"auto_pad", "pads"})
    plain.attribute.append(onnx.helper.make_attribute("pads", pads))
    return plain
