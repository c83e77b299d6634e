"""`torch.export` files (.pt2) that users bring, read without `torch.export.load`.

That function unpickles: sample inputs always, and weights and constants where the archive says so. The
archive itself is a zip of JSON (the graph) and raw numbers (the weights), and that is all that is read here.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cloud.errors import InputError
from cloud.subnets.graph import Array, Network

_DTYPES: dict[int, Any] = {5: np.int64, 6: np.float16, 7: np.float32, 8: np.float64}
"""Numbers of the archive's scalar types."""

_MAX_BYTES = 1_000_000_000


def read(path: Path) -> Network:
    """Return the network of a `torch.export` file, as far as its operators are known.

    Raises:
        InputError: It is damaged, holds pickled weights, or has not one picture as its input.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Reader(path, archive).network()
    except (zipfile.BadZipFile, KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
        message = f"{path}: not a torch.export file (torch.export.save of PyTorch 2.9 or later), or damaged"
        raise InputError(message) from error


class _LackingError(Exception):
    """An operator, or a use of it, that is not known."""


class _Reader:
    """Goes through the nodes of an archive."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        if sum(one.file_size for one in archive.infolist()) > _MAX_BYTES:
            message = f"{path}: larger than {_MAX_BYTES} bytes when unpacked"
            raise InputError(message)
        self._members = {name.partition("/")[2]: name for name in archive.namelist()}
        self._module = json.loads(self._read("models/model.json"))["graph_module"]
        self._net = Network("input")

    def network(self) -> Network:
        """Return what could be read."""
        graph, signature = self._module["graph"], self._module["signature"]
        pictures = [one["user_input"]["arg"] for one in signature["input_specs"] if "user_input" in one]
        self._net.input_name = pictures[0]["as_tensor"]["name"]
        self._check_input(graph, len(pictures))
        self._read_weights(signature)
        known = {self._net.input_name, *self._net.weights}
        for node in graph["nodes"]:
            arguments = {one["name"]: one["arg"] for one in node["inputs"]}
            target = node["target"].removeprefix("torch.ops.aten.").split(".")[0].rstrip("_")
            outputs = [name for one in node["outputs"] for name in _names(one)]
            if not known.issuperset(name for one in arguments.values() for name in _names(one)):
                continue
            try:
                _CONVERTERS.get(target, _lacking)(Call(self._net, arguments, outputs))
                known.update(outputs)
            except _LackingError:
                self._net.lacking.append(target)
        return self._net

    def _check_input(self, graph: dict[str, Any], count: int) -> None:
        sizes = [one.get("as_int") for one in graph["tensor_values"][self._net.input_name]["sizes"]]
        if count != 1 or len(sizes) != 4 or sizes[1] != 3:
            message = f"{self._path}: its input {sizes} is no picture (n, 3, h, w)"
            raise InputError(message)

    def _read_weights(self, signature: dict[str, Any]) -> None:
        places = json.loads(self._read("data/weights/model_weights_config.json"))["config"]
        for spec in signature["input_specs"]:
            for kind, field in (("parameter", "parameter_name"), ("buffer", "buffer_name")):
                if kind in spec:
                    name, place = spec[kind]["arg"]["name"], spec[kind][field]
                    self._net.weights[name] = self._tensor(place, places[place])

    def _tensor(self, name: str, place: dict[str, Any]) -> Array:
        if place["use_pickle"]:
            message = f"{self._path}: weight {name!r} is pickled; elfowl loads no pickles, save plain tensors"
            raise InputError(message)
        facts = place["tensor_meta"]
        shape = [one["as_int"] for one in facts["sizes"]]
        strides = [one["as_int"] for one in facts["strides"]]
        values = np.frombuffer(self._read(f"data/weights/{place['path_name']}"), _DTYPES[facts["dtype"]])
        start = facts["storage_offset"]["as_int"]
        needed = start + 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
        if min([0, start, *strides]) < 0 or needed > len(values):
            message = "weights reach beyond their storage"
            raise ValueError(message)
        view = np.lib.stride_tricks.as_strided(
            values[start:], shape, [step * values.itemsize for step in strides], writeable=False
        )
        return view.astype(np.float32) if view.dtype.kind == "f" else view.copy()

    def _read(self, member: str) -> bytes:
        return self._archive.read(self._members[member])


class Call:
    """One call of an operator, with its arguments by name."""

    def __init__(self, network: Network, arguments: dict[str, Any], outputs: list[str]) -> None:
        self.net, self._arguments, self.outputs = network, arguments, outputs
        self.output = outputs[0]

    def tensor(self, name: str) -> str:
        """Return the tensor that an argument names."""
        found = _names(self._arguments.get(name, {}))
        if len(found) != 1:
            raise _LackingError
        return found[0]

    def tensors(self, name: str) -> list[str]:
        """Return the tensors of a list argument."""
        return _names(self._arguments[name])

    def has(self, name: str) -> bool:
        """Return whether an argument is given and not none."""
        return bool(_names(self._arguments.get(name, {}))) or self.value(name) is not None

    def value(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - of any kind
        """Return a plain argument."""
        given = self._arguments.get(name, {"as_none": True})
        kind, value = next(iter(given.items()))
        return default if kind in {"as_none", "as_tensor", "as_tensors"} else value

    def pair(self, name: str, default: int) -> list[int]:
        """Return one or two whole numbers as two."""
        given = self.value(name)
        if given is None or given == []:
            return [default, default]
        return [given, given] if isinstance(given, int) else list(given) * (2 // len(given))

    def operand(self, name: str) -> str:
        """Return a tensor, or a constant made of a number."""
        number = self.value(name)
        if number is None:
            return self.tensor(name)
        if not isinstance(number, (int, float)) or not math.isfinite(number):
            raise _LackingError
        return self.net.constant(f"{self.output}.{name}", float(number))


def _names(argument: dict[str, Any]) -> list[str]:
    if "as_tensor" in argument:
        return [argument["as_tensor"]["name"]]
    return [one["name"] for one in argument.get("as_tensors", [])]


def _lacking(_: Call) -> None:
    raise _LackingError


def _conv(call: Call) -> None:
    inputs = [call.tensor("input"), call.tensor("weight")]
    if call.has("bias"):
        inputs.append(call.tensor("bias"))
    padding = call.value("padding")
    if isinstance(padding, str):
        raise _LackingError
    call.net.add(
        "Conv",
        inputs,
        call.output,
        strides=call.pair("stride", 1),
        pads=call.pair("padding", 0) * 2,
        dilations=call.pair("dilation", 1),
        group=call.value("groups", 1),
    )


def _any_conv(call: Call) -> None:
    if call.value("transposed"):
        raise _LackingError
    _conv(call)


def _prelu(call: Call) -> None:
    slope = call.net.weights[call.tensor("weight")].reshape(-1, 1, 1)
    inputs = [call.tensor("self"), call.net.constant(f"{call.output}.slope", slope)]
    call.net.add("PRelu", inputs, call.output)


def _upsample(call: Call) -> None:
    factors = call.value("scale_factors")
    if not factors:
        raise _LackingError
    scales = call.net.constant(f"{call.output}.scales", [1, 1, *factors])
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    call.net.add("Resize", [call.tensor("input"), "", scales], call.output, **how)


def _batch_norm(call: Call) -> None:
    if call.value("training"):
        raise _LackingError
    inputs = [call.tensor(name) for name in ("input", "weight", "bias", "running_mean", "running_var")]
    call.net.add("BatchNormalization", inputs, call.output, epsilon=call.value("eps", 1e-5))


def _clip(lowest: str, highest: str, defaults: tuple[float | None, float | None]) -> Callable[[Call], None]:
    def convert(call: Call) -> None:
        bounds = [call.value(lowest, defaults[0]), call.value(highest, defaults[1])]
        inputs = [
            "" if bound is None else call.net.constant(f"bound.{float(bound)}", float(bound))
            for bound in bounds
        ]
        call.net.add("Clip", [call.tensor("self"), *inputs], call.output)

    return convert


def _simple(operator: str) -> Callable[[Call], None]:
    def convert(call: Call) -> None:
        call.net.add(operator, [call.tensor("self")], call.output)

    return convert


def _silu(call: Call) -> None:
    gate = call.net.add("Sigmoid", [call.tensor("self")], f"{call.output}.gate")
    call.net.add("Mul", [call.tensor("self"), gate], call.output)


def _hard_sigmoid(call: Call) -> None:
    call.net.add("HardSigmoid", [call.tensor("self")], call.output, alpha=1 / 6, beta=0.5)


def _leaky(call: Call) -> None:
    call.net.add("LeakyRelu", [call.tensor("self")], call.output, alpha=call.value("negative_slope", 0.01))


def _elementwise(operator: str) -> Callable[[Call], None]:
    def convert(call: Call) -> None:
        if call.value("alpha", 1) != 1:
            raise _LackingError
        call.net.add(operator, [call.operand("self"), call.operand("other")], call.output)

    return convert


def _pool(operator: str) -> Callable[[Call], None]:
    def convert(call: Call) -> None:
        if call.pair("dilation", 1) != [1, 1] or call.has("divisor_override"):
            raise _LackingError
        kernel = call.pair("kernel_size", 1)
        strides = call.pair("stride", 0)
        extra = (
            {} if operator == "MaxPool" else {"count_include_pad": int(call.value("count_include_pad", True))}
        )
        call.net.add(
            operator,
            [call.tensor("self")],
            call.output,
            kernel_shape=kernel,
            strides=kernel if strides == [0, 0] else strides,
            pads=call.pair("padding", 0) * 2,
            ceil_mode=int(call.value("ceil_mode", False)),
            **extra,
        )

    return convert


def _adaptive_average(call: Call) -> None:
    if call.pair("output_size", 0) != [1, 1]:
        raise _LackingError
    call.net.add("GlobalAveragePool", [call.tensor("self")], call.output)


def _mean(call: Call) -> None:
    if sorted(axis % 4 for axis in call.value("dim", [])) != [2, 3] or not call.value("keepdim", False):
        raise _LackingError
    call.net.add("GlobalAveragePool", [call.tensor("self")], call.output)


def _concat(call: Call) -> None:
    call.net.add("Concat", call.tensors("tensors"), call.output, axis=call.value("dim", 0) % 4)


def _pad(call: Call) -> None:
    if call.value("mode", "constant") != "constant" or len(call.value("pad")) != 4:
        raise _LackingError
    left, right, top, bottom = call.value("pad")
    amounts = call.net.constant(f"{call.output}.pads", [0, 0, top, left, 0, 0, bottom, right], np.int64)
    value = call.net.constant(f"{call.output}.value", float(call.value("value", 0.0)))
    call.net.add("Pad", [call.tensor("self"), amounts, value], call.output)


def _same(call: Call) -> None:
    name = "input" if call.has("input") else "self"
    call.net.add("Identity", [call.tensor(name)], call.output)


_CONVERTERS: dict[str, Callable[[Call], None]] = {
    "adaptive_avg_pool2d": _adaptive_average,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "add": _elementwise("Add"),
    "avg_pool2d": _pool("AveragePool"),
    "batch_norm": _batch_norm,
    "cat": _concat,
    "clamp": _clip("min", "max", (None, None)),
    "clone": _same,
    "constant_pad_nd": _pad,
    "contiguous": _same,
    "conv2d": _conv,
    "convolution": _any_conv,
    "div": _elementwise("Div"),
    "dropout": _same,
    "hardsigmoid": _hard_sigmoid,
    "hardswish": _simple("HardSwish"),
    "hardtanh": _clip("min_val", "max_val", (-1.0, 1.0)),
    "leaky_relu": _leaky,
    "max_pool2d": _pool("MaxPool"),
    "max_pool2d_with_indices": _pool("MaxPool"),
    "mean": _mean,
    "mul": _elementwise("Mul"),
    "pad": _pad,
    "prelu": _prelu,
    "relu": _simple("Relu"),
    "relu6": _clip("", "", (0.0, 6.0)),
    "sigmoid": _simple("Sigmoid"),
    "silu": _silu,
    "sub": _elementwise("Sub"),
    "tanh": _simple("Tanh"),
    "upsample_nearest2d": _upsample,
}
