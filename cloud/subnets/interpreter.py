"""A trunk's ONNX graph as a torch network, so that it can be pruned, quantized and exported like any other.

Convolutions and activations become modules of torch, not functions: what prunes and fuses looks for those.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

from cloud.errors import InputError
from cloud.subnets.graph import OUTPUT_NAMES, Network, attribute

Build = Callable[[onnx.NodeProto, dict[str, Any]], nn.Module]


class GraphTrunk(nn.Module):
    """Runs the nodes of a canonical graph in order; input and output as `cloud.subnets.trunks.load_trunk`."""

    def __init__(self, network: Network) -> None:
        """Build the modules.

        Args:
            network: In the canonical form.

        Raises:
            InputError: It has an operator, or a use of one, that torch is not told here.
        """
        super().__init__()
        self._input = network.input_name
        self._names = [(_tensors(node, network), list(node.output)) for node in network.nodes]
        self.steps = nn.ModuleList([build(node, network) for node in network.nodes])

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the features at strides 8, 16 and 32, NCHW."""
        values: dict[str, torch.Tensor] = {self._input: image}
        for (sources, results), step in zip(self._names, self.steps, strict=True):
            answer = step(*(values[name] for name in sources))
            answers = answer if isinstance(answer, tuple) else (answer,)
            values.update(zip(results, answers, strict=True))
        return tuple(values[name] for name in OUTPUT_NAMES)


def build(node: onnx.NodeProto, network: Network) -> nn.Module:
    """Return the torch module of one node; it takes the node's inputs that are no constants.

    Raises:
        InputError: There is none; the text names the operator.
    """
    if node.op_type not in _BUILDERS:
        message = f"operator {node.op_type} is not among those that a subnet can be made of"
        raise InputError(message)
    try:
        return _BUILDERS[node.op_type](node, network.weights)
    except (KeyError, IndexError, ValueError) as error:
        message = (
            f"operator {node.op_type} (of {node.output[0]!r}) is used in a way that elfowl does not know"
        )
        raise InputError(message) from error


def _tensors(node: onnx.NodeProto, network: Network) -> list[str]:
    return [name for name in node.input if name and name not in network.weights]


class Padded(nn.Module):
    """Pads unevenly, then runs a module that does not pad."""

    def __init__(self, pads: Sequence[int], value: float, inner: nn.Module) -> None:
        super().__init__()
        top, left, bottom, right = pads
        self.pad = nn.ConstantPad2d((left, right, top, bottom), value)
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the inner module's answer."""
        result: torch.Tensor = self.inner(self.pad(x))
        return result


class Elementwise(nn.Module):
    """Joins two tensors number by number; one of them may be a constant."""

    def __init__(self, join: Callable[[Any, Any], torch.Tensor], left: object, right: object) -> None:
        super().__init__()
        self._join = join
        self.register_buffer("left", _tensor(left))
        self.register_buffer("right", _tensor(right))

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        """Return the joined tensor."""
        waiting = list(given)
        left = waiting.pop(0) if self.left is None else self.left
        right = waiting.pop(0) if self.right is None else self.right
        return self._join(left, right)


class Call(nn.Module):
    """Runs a function of tensors."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *given: torch.Tensor) -> Any:  # noqa: ANN401 - a tensor, or several
        """Return what the function answers."""
        return self._function(*given)


def _tensor(values: object) -> torch.Tensor | None:
    return None if values is None else torch.from_numpy(np.array(values, np.float32))


def _conv(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    weight = weights[node.input[1]]
    bias = weights[node.input[2]] if len(node.input) > 2 else None
    pads = attribute(node, "pads", [0, 0, 0, 0])
    even = pads[:2] == pads[2:]
    group = attribute(node, "group", 1)
    conv = nn.Conv2d(
        weight.shape[1] * group,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=tuple(attribute(node, "strides", [1, 1])),
        padding=tuple(pads[:2]) if even else 0,
        dilation=tuple(attribute(node, "dilations", [1, 1])),
        groups=group,
        bias=bias is not None,
    )
    conv.weight = nn.Parameter(torch.from_numpy(np.array(weight, np.float32)))
    if bias is not None:
        conv.bias = nn.Parameter(torch.from_numpy(np.array(bias, np.float32)))
    return conv if even else Padded(pads, 0.0, conv)


def _batch_norm(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    scale, shift, mean, variance = (np.array(weights[name], np.float32) for name in node.input[1:5])
    norm = nn.BatchNorm2d(len(scale), eps=attribute(node, "epsilon", 1e-5))
    tensors = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance}
    norm.load_state_dict({name: torch.from_numpy(one) for name, one in tensors.items()}, strict=False)
    return norm


def _clip(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    bounds = [float(weights[name]) if name else None for name in (*node.input[1:], "", "")][:2]
    if bounds == [0.0, 6.0]:
        return nn.ReLU6()
    if bounds == [0.0, None]:
        return nn.ReLU()
    return Call(lambda x: torch.clamp(x, bounds[0], bounds[1]))


def _pool(node: onnx.NodeProto, _: dict[str, Any]) -> nn.Module:
    kernel, strides = tuple(attribute(node, "kernel_shape")), tuple(attribute(node, "strides", [1, 1]))
    pads = attribute(node, "pads", [0, 0, 0, 0])
    ceil = bool(attribute(node, "ceil_mode", 0))
    even = pads[:2] == pads[2:]
    if node.op_type == "AveragePool":
        if not even:
            message = "uneven padding"
            raise ValueError(message)
        included = bool(attribute(node, "count_include_pad", 0))
        return nn.AvgPool2d(kernel, strides, tuple(pads[:2]), ceil_mode=ceil, count_include_pad=included)
    pool = nn.MaxPool2d(kernel, strides, tuple(pads[:2]) if even else 0, ceil_mode=ceil)
    return pool if even else Padded(pads, float(np.finfo(np.float32).min), pool)


def _pad(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    before, after = np.split(np.asarray(weights[node.input[1]]), 2)
    if attribute(node, "mode", b"constant") != b"constant" or before[:2].any() or after[:2].any():
        message = "not a zero border of the picture"
        raise ValueError(message)
    given = len(node.input) > 2 and node.input[2]
    value = float(weights[node.input[2]]) if given else 0.0
    return nn.ConstantPad2d((int(before[3]), int(after[3]), int(before[2]), int(after[2])), value)


def _elementwise(join: Callable[[Any, Any], torch.Tensor]) -> Build:
    return lambda node, weights: Elementwise(join, weights.get(node.input[0]), weights.get(node.input[1]))


def _concat(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    if any(name in weights for name in node.input):
        message = "a constant is joined"
        raise ValueError(message)
    axis = attribute(node, "axis")
    return Call(lambda *given: torch.cat(given, dim=axis))


def _mean(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    given = len(node.input) > 1 and node.input[1]
    axes = [int(one) for one in (weights[node.input[1]] if given else attribute(node, "axes"))]
    keep = bool(attribute(node, "keepdims", 1))
    return Call(lambda x: torch.mean(x, dim=axes, keepdim=keep))


def _resize(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    scales = [float(one) for one in weights[node.input[2]]]
    mode = attribute(node, "mode", b"nearest").decode()
    where = attribute(node, "coordinate_transformation_mode", b"half_pixel").decode()
    if scales[:2] != [1.0, 1.0] or mode not in {"nearest", "linear"}:
        message = "not a growth of the picture"
        raise ValueError(message)
    if mode == "nearest":
        return nn.Upsample(scale_factor=tuple(scales[2:]), mode="nearest")
    align = where == "align_corners"
    return nn.Upsample(scale_factor=tuple(scales[2:]), mode="bilinear", align_corners=align)


def _split(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    sizes, axis = [int(one) for one in weights[node.input[1]]], attribute(node, "axis", 0)
    return Call(lambda x: tuple(torch.split(x, sizes, dim=axis)))


def _slice(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    starts, ends, *rest = ([int(one) for one in weights[name]] for name in node.input[1:])
    axes = rest[0] if rest else list(range(len(starts)))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    places = dict(zip(axes, (slice(*one) for one in zip(starts, ends, steps, strict=True)), strict=True))
    whole = tuple(places.get(axis, slice(None)) for axis in range(4))
    return Call(lambda x: x[whole])


def _prelu(node: onnx.NodeProto, weights: dict[str, Any]) -> nn.Module:
    slope = np.array(weights[node.input[1]], np.float32).reshape(-1)
    prelu = nn.PReLU(len(slope))
    prelu.weight = nn.Parameter(torch.from_numpy(slope))
    return prelu


def _hard_sigmoid(node: onnx.NodeProto, _: dict[str, Any]) -> nn.Module:
    alpha, beta = attribute(node, "alpha", 0.2), attribute(node, "beta", 0.5)
    return Call(lambda x: torch.clamp(x * alpha + beta, 0.0, 1.0))


_BUILDERS: dict[str, Build] = {
    "Add": _elementwise(operator.add),
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _elementwise(operator.truediv),
    "GlobalAveragePool": lambda *_: Call(lambda x: torch.mean(x, dim=(2, 3), keepdim=True)),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda *_: Call(functional.hardswish),
    "Identity": lambda *_: nn.Identity(),
    "LeakyRelu": lambda node, _: nn.LeakyReLU(attribute(node, "alpha", 0.01)),
    "MaxPool": _pool,
    "Mul": _elementwise(operator.mul),
    "PRelu": _prelu,
    "Pad": _pad,
    "ReduceMean": _mean,
    "Relu": lambda *_: nn.ReLU(),
    "Resize": _resize,
    "Sigmoid": lambda *_: nn.Sigmoid(),
    "Slice": _slice,
    "Split": _split,
    "Sub": _elementwise(operator.sub),
    "Tanh": lambda *_: nn.Tanh(),
    "Transpose": lambda node, _: Call(lambda x: x.permute(*attribute(node, "perm"))),
}
