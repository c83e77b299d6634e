"""Tiny networks in every format that a user may bring."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cloud.subnets.graph import INPUT_NAME, OUTPUT_NAMES, Array, Network
from edge_agent.vision.arrays import Float32

Rows = Sequence[Float32]


class TinyNet(nn.Module):
    """A small classifier: strides 2 to 32, normalisation, a residual sum, then pooling and classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.pool = nn.MaxPool2d(2)
        self.third = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.Hardswish())
        self.same = nn.Sequential(nn.Conv2d(12, 12, 3, 1, 1, groups=12), nn.SiLU())
        self.squeeze = nn.Sequential(nn.Conv2d(12, 4, 1), nn.ReLU(), nn.Conv2d(4, 12, 1), nn.Hardsigmoid())
        pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.fourth = nn.Sequential(pad, nn.Conv2d(12, 20, 3, 2), nn.PReLU(20), nn.AvgPool2d(3, 1, 1))
        self.fifth = nn.Sequential(
            nn.Conv2d(20, 24, 3, 2, 1, groups=4), nn.BatchNorm2d(24), nn.LeakyReLU(0.1)
        )
        self.classes = nn.Linear(24, 10)

    def features(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.third(self.pool(self.stem(x)))
        x = x * self.squeeze(x.mean((2, 3), keepdim=True))
        eighth = x + self.same(x)
        sixteenth = self.fourth(eighth)
        return eighth, sixteenth, self.fifth(sixteenth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.classes(self.features(x)[2].mean((2, 3)))
        return result


def tiny_net(seed: int = 3) -> TinyNet:
    """Return the network with fixed weights and statistics that are not those of a fresh one."""
    torch.manual_seed(seed)
    net = TinyNet().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.2
            module.running_var = torch.rand(module.num_features) + 0.5
    return net


def write_exported(net: nn.Module, path: Path) -> Path:
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 64, 96),)), path)
    return path


def with_pickled_weights(path: Path, target: Path, *, poison_samples: bool = False) -> Path:
    """Copy a torch.export archive: its first weight becomes a pickle, or its sample inputs a harmful one."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if poison_samples and "sample_inputs" in name:
                content = pickle.dumps(_Harmful())
            elif name.endswith("model_weights_config.json") and not poison_samples:
                config = json.loads(content)
                next(iter(config["config"].values()))["use_pickle"] = True
                content = json.dumps(config).encode()
            copy.writestr(name, content)
    return target


class _Harmful:
    """Raises when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (int, ("somebody unpickled this",))


def run_onnx(
    network: Network | onnx.ModelProto,
    picture: torch.Tensor,
    *,
    name: str = INPUT_NAME,
    outputs: Sequence[str] = OUTPUT_NAMES,
) -> Rows:
    """Return what ONNX Runtime answers."""
    import onnxruntime as ort

    graph = network.serialised(outputs) if isinstance(network, Network) else network.SerializeToString()
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    answers: Rows = session.run(list(outputs), {name: picture.numpy()})
    return answers


def write_onnx(
    path: Path, *, operator: str = "Relu", seed: int = 1, channels_last: bool = False, width: int = 1
) -> Path:
    """Write five strided convolutions with one more operator after each, and a classifier behind."""
    rng = np.random.default_rng(seed)
    nodes, weights = [], []
    extra = ["b0", "b0"] if operator == "InstanceNormalization" else []
    source, inputs = "pixels", 3
    if channels_last:
        nodes.append(helper.make_node("Transpose", [source], ["nchw"], perm=[0, 3, 1, 2]))
        source = "nchw"
    for index, outputs in enumerate(width * one for one in (8, 8, 12, 16, 20)):
        scale = (2.0 / (9 * inputs)) ** 0.5
        kernel = rng.normal(0, scale, (outputs, inputs, 3, 3)).astype(np.float32)
        weights += [
            numpy_helper.from_array(kernel, f"w{index}"),
            numpy_helper.from_array(rng.normal(0, 0.1, outputs).astype(np.float32), f"b{index}"),
        ]
        given = [source, f"w{index}", f"b{index}"]
        nodes += [
            helper.make_node("Conv", given, [f"conv{index}"], strides=[2, 2], auto_pad="SAME_UPPER"),
            helper.make_node(operator, [f"conv{index}", *extra], [f"act{index}"]),
        ]
        source, inputs = f"act{index}", outputs
    nodes += [
        helper.make_node("GlobalAveragePool", [source], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
    ]
    shape: list[str | int | None] = ["n", 64, 96, 3] if channels_last else ["n", 3, 64, 96]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("flat", TensorProto.FLOAT, None)],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def write_tflite(path: Path) -> Path:
    """Write strided convolutions behind pads, each with a depthwise one added to it."""
    from ai_edge_litert import schema_py_generated as schema

    writer = _TfliteWriter(schema)
    source = writer.tensor("pixels", (1, 64, 96, 3))
    first = source
    for index, (inputs, outputs) in enumerate(((3, 8), (8, 8), (8, 12), (12, 16), (16, 20))):
        strided = writer.conv(source, f"conv{index}", inputs, outputs, 64 >> (index + 1), 96 >> (index + 1))
        source = writer.residual(strided, f"level{index}", outputs, 64 >> (index + 1), 96 >> (index + 1))
    path.write_bytes(writer.content(first, source))
    return path


class _TfliteWriter:
    """Builds a TFLite file operator by operator."""

    def __init__(self, schema: Any) -> None:  # noqa: ANN401 - generated code without types
        self._schema, self._rng = schema, np.random.default_rng(9)
        self._graph = schema.SubGraphT()
        self._codes: list[Any] = []
        self._buffers = [schema.BufferT()]
        self._graph.tensors, self._graph.operators = [], []

    def tensor(self, name: str, shape: tuple[int, ...], values: Array | None = None) -> int:
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), 0
        tensor.type = self._schema.TensorType.FLOAT32
        if values is not None:
            if values.dtype == np.int32:
                tensor.type = self._schema.TensorType.INT32
            buffer = self._schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(self._buffers)
            self._buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def conv(self, source: int, name: str, inputs: int, outputs: int, height: int, width: int) -> int:
        """Add a zero border of one, then a strided convolution with ReLU6 that pads as SAME."""
        amounts = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
        padded = self.tensor(f"{name}/pad", (1, 2 * height + 2, 2 * width + 2, inputs))
        pads = self.tensor(f"{name}/amounts", (4, 2), amounts)
        self._add("PAD", [source, pads], padded, None, "PadOptions")
        options = self._schema.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = self._schema.Padding.VALID, 2, 2
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = self._schema.ActivationFunctionType.RELU6
        kernel = self._weights(f"{name}/w", (outputs, 3, 3, inputs), 9 * inputs)
        bias = self._weights(f"{name}/b", (outputs,), 20)
        result = self.tensor(name, (1, height, width, outputs))
        self._add("CONV_2D", [padded, kernel, bias], result, options, "Conv2DOptions")
        return result

    def residual(self, source: int, name: str, channels: int, height: int, width: int) -> int:
        """Add the input to a depthwise convolution of it."""
        options = self._schema.DepthwiseConv2DOptionsT()
        options.padding, options.strideH, options.strideW = self._schema.Padding.SAME, 1, 1
        options.dilationHFactor = options.dilationWFactor = options.depthMultiplier = 1
        kernel = self._weights(f"{name}/dw", (1, 3, 3, channels), 9)
        bias = self._weights(f"{name}/db", (channels,), 20)
        filtered = self.tensor(f"{name}/filtered", (1, height, width, channels))
        self._add("DEPTHWISE_CONV_2D", [source, kernel, bias], filtered, options, "DepthwiseConv2DOptions")
        result = self.tensor(name, (1, height, width, channels))
        self._add("ADD", [source, filtered], result, self._schema.AddOptionsT(), "AddOptions")
        return result

    def content(self, first: int, last: int) -> bytes:
        import flatbuffers

        self._graph.inputs, self._graph.outputs = [first], [last]
        model = self._schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [self._graph], self._buffers
        model.operatorCodes = self._codes
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _weights(self, name: str, shape: tuple[int, ...], fan_in: int) -> int:
        values = self._rng.normal(0, (2.0 / fan_in) ** 0.5, shape).astype(np.float32)
        return self.tensor(name, shape, values)

    def _add(self, operator: str, inputs: list[int], output: int, options: object, kind: str) -> None:
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self._schema.BuiltinOperator, operator)
        code.version = 1
        self._codes.append(code)
        node = self._schema.OperatorT()
        node.opcodeIndex, node.inputs, node.outputs = len(self._codes) - 1, inputs, [output]
        if options is not None:
            node.builtinOptions = options
            node.builtinOptionsType = getattr(self._schema.BuiltinOptions, kind)
        self._graph.operators.append(node)
