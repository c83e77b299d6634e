"""Brings a network into the one form that everything behind works with.

Input `image (n, 3, h, w)`, (byte - 127) / 128; outputs `stride8`, `stride16`, `stride32`; nothing else in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from cloud.errors import InputError
from cloud.subnets.graph import INPUT_NAME, OUTPUT_NAMES, Network, ancestors, attribute
from cloud.subnets.manifest import Channels

_OUR_MEAN, _OUR_STD = 127.0, 128.0
_BN_INPUTS = 5


def canonical(network: Network, taps: Sequence[str], mean: Channels, std: Channels) -> Network:
    """Return the trunk of a network in the canonical form.

    Args:
        network: As a reader gave it.
        taps: Names of the tensors at strides 8, 16 and 32.
        mean: The network's own input is (byte - mean) / std.
        std: See `mean`.

    Raises:
        InputError: Weights are not finite.
    """
    trunk = _cut(network, taps)
    _check_finite(trunk)
    if trunk.channels_last:
        trunk.nodes.insert(
            0, onnx.helper.make_node("Transpose", ["input.nchw"], [trunk.input_name], perm=[0, 2, 3, 1])
        )
        trunk.input_name, trunk.channels_last = "input.nchw", False
    _fold_normalisation(trunk)
    _take_our_input(trunk, mean, std)
    used = {name for node in trunk.nodes for name in node.input}
    trunk.weights = {name: values for name, values in trunk.weights.items() if name in used}
    return trunk


def _cut(network: Network, taps: Sequence[str]) -> Network:
    """Return a copy that ends at the taps; its names cannot clash with ours."""
    wanted = ancestors(network.nodes, taps)
    alias: dict[str, str] = dict(zip(taps, OUTPUT_NAMES, strict=True))
    nodes: list[onnx.NodeProto] = []
    for original in network.nodes:
        if not wanted & set(original.output):
            continue
        node = onnx.NodeProto()
        node.CopyFrom(original)
        node.input[:] = [_alias(name, alias) for name in original.input]
        if original.op_type == "Identity" and original.output[0] not in taps:
            alias[original.output[0]] = node.input[0]
            continue
        node.output[:] = [_alias(name, alias) for name in original.output]
        nodes.append(node)
    weights = {_alias(name, alias): values for name, values in network.weights.items()}
    input_name = _alias(network.input_name, alias)
    return Network(input_name, nodes, weights, network.channels_last, network.opset)


def _alias(name: str, alias: dict[str, str]) -> str:
    return alias.get(name, f"net.{name}") if name else ""


def _check_finite(network: Network) -> None:
    for name, values in network.weights.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            message = f"weights {name.removeprefix('net.')!r} are not finite: the file is damaged"
            raise InputError(message)


def _fold_normalisation(network: Network) -> None:
    """Fold every batch normalisation that follows a convolution alone into it."""
    maker = {node.output[0]: node for node in network.nodes}
    readers: dict[str, int] = {}
    for node in network.nodes:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    kept: list[onnx.NodeProto] = []
    for node in network.nodes:
        conv = maker.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if conv is not None and conv.op_type == "Conv" and _foldable(network, node, conv, readers):
            _fold(network, node, conv)
        else:
            kept.append(node)
    network.nodes = kept


def _foldable(network: Network, bn: onnx.NodeProto, conv: onnx.NodeProto, readers: dict[str, int]) -> bool:
    constant = all(name in network.weights for name in (*bn.input[1:_BN_INPUTS], *conv.input[1:]))
    return constant and readers[conv.output[0]] == 1 and conv.output[0] not in OUTPUT_NAMES


def _fold(network: Network, bn: onnx.NodeProto, conv: onnx.NodeProto) -> None:
    scale, shift, mean, variance = (network.weights[name] for name in bn.input[1:_BN_INPUTS])
    gain = scale / np.sqrt(variance + attribute(bn, "epsilon", 1e-5))
    weight = network.weights[conv.input[1]]
    bias = network.weights[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(weight), np.float32)
    name = bn.output[0]
    network.constant(f"{name}.weight", weight * gain[:, None, None, None])
    network.constant(f"{name}.bias", (bias - mean) * gain + shift)
    conv.input[:] = [conv.input[0], f"{name}.weight", f"{name}.bias"]
    conv.output[0] = name


def _take_our_input(network: Network, mean: Channels, std: Channels) -> None:
    """Change the network to take (byte - 127) / 128 in place of (byte - mean) / std.

    Convolutions at the input absorb the difference, so that zeros at the border stand for byte 127 and no
    longer for `mean`; where anything else stands there, a product and a sum go before it.
    """
    gain = np.array([_OUR_STD / one for one in std], np.float32)
    shift = np.array([(_OUR_MEAN - one) / scale for one, scale in zip(mean, std, strict=True)], np.float32)
    first = [node for node in network.nodes if network.input_name in node.input]
    same = bool(np.all(gain == 1) and np.all(shift == 0))
    if not same and not all(_absorbs(network, node) for node in first):
        source, network.input_name = network.input_name, INPUT_NAME
        network.constant("input.gain", gain.reshape(1, 3, 1, 1))
        network.constant("input.shift", shift.reshape(1, 3, 1, 1))
        steps = [
            onnx.helper.make_node("Mul", [INPUT_NAME, "input.gain"], ["input.scaled"]),
            onnx.helper.make_node("Add", ["input.scaled", "input.shift"], [source]),
        ]
        network.nodes[:0] = steps
        return
    for index, node in enumerate(first):
        if not same:
            _absorb(network, node, index, gain, shift)
        node.input[:] = [INPUT_NAME if name == network.input_name else name for name in node.input]
    network.input_name = INPUT_NAME


def _absorbs(network: Network, node: onnx.NodeProto) -> bool:
    constant = all(name in network.weights for name in node.input[1:])
    return node.op_type == "Conv" and constant and attribute(node, "group", 1) == 1


def _absorb(network: Network, node: onnx.NodeProto, index: int, gain: np.ndarray, shift: np.ndarray) -> None:
    weight = network.weights[node.input[1]]
    bias = network.weights[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight), np.float32)
    network.constant(f"stem{index}.weight", weight * gain[None, :, None, None])
    network.constant(f"stem{index}.bias", bias + (weight.sum(axis=(2, 3)) * shift).sum(axis=1))
    node.input[:] = [node.input[0], f"stem{index}.weight", f"stem{index}.bias"]
