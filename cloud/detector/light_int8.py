"""What light heads read, worked out with int8 numbers: twice as quick where the processor multiplies bytes.

Files beside each neck say between which numbers each layer's answers lie, and what their means are; they were
seen in photos. With them a subnet and its neck are made int8 in a second, by ONNX Runtime's quantizer, when
they are loaded. The first layers stay as they are: they would add a quarter to what int8 numbers are off by.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load as load_tensors

from cloud.detector.light import has_light_neck, light_neck_sha256
from cloud.detector.light_graph import LEVEL_NAMES, levels_graph
from cloud.detector.light_rounding import take_back_rounding
from cloud.subnets.features import Features, open_session
from cloud.subnets.graph import INPUT_NAME
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.widen import widened
from edge_agent.vision.arrays import Float32, Rgb

_NECKS = files("cloud.detector") / "necks"
_QUICK = ("avx512_vnni", "avx_vnni")
"""Of an x86 processor: it multiplies bytes four at a time, and no sum of two products overflows."""

_BLOCK = 16
"""Channels that instructions for bytes take at once."""

PIXELS_NAME = "pixels"
"""The input of an int8 network."""

_BYTE_STEPS = (np.float32(-127 / 128), np.float32(1.0))
"""Between which numbers every input lies."""


class Int8Ranges(BaseModel):
    """Between which numbers the answers of layers lie.

    Attributes:
        subnet: Digest of the subnet's weights.
        neck: Digest of the neck's file.
        means: Digest of the file of means.
        photos: In which that was seen: digest and name of each.
        kept: Nodes that stay float.
        ranges: Lowest and highest number of each tensor.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["elfowl-int8-ranges-1"] = "elfowl-int8-ranges-1"
    subnet: str
    neck: str
    means: str
    photos: tuple[str, ...]
    kept: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]] = Field(min_length=1)


class Int8Levels:
    """A subnet with its neck, int8, one thread a call; safe to call from several threads at once."""

    def __init__(self, subnet: SubnetManifest, ranges: Int8Ranges) -> None:
        self._session = open_session(int8_graph(levels_graph(subnet), ranges, int8_means(subnet)))

    def levels(self, pixels: Rgb) -> Features:
        """Return what the neck makes of `(n, h, w, 3) uint8`, h and w multiples of 32."""
        return tuple(self._session.run(list(LEVEL_NAMES), {PIXELS_NAME: np.ascontiguousarray(pixels)}))


@cache
def int8_levels(subnet: SubnetManifest) -> Int8Levels | None:
    """Return the subnet with its neck, int8, for all of a process; none where that is not known to be good.

    Raises:
        InputError: The subnet's weights are missing or not the known ones.
    """
    ranges = int8_ranges(subnet) if multiplies_bytes(torch.cpu.get_capabilities()) else None
    return Int8Levels(subnet, ranges) if ranges is not None else None


def multiplies_bytes(capabilities: Mapping[str, object]) -> bool:
    """Tell whether a processor is quick with int8 numbers, and right: others were not measured."""
    return any(capabilities.get(name) is True for name in _QUICK)


def int8_ranges(subnet: SubnetManifest) -> Int8Ranges | None:
    """Return the ranges that come with a subnet's neck; none where there are none, or for another neck."""
    file = _NECKS / f"{subnet.name}.ranges.json"
    if not file.is_file() or not has_light_neck(subnet):
        return None
    ranges = Int8Ranges.model_validate_json(file.read_bytes())
    known = ranges.subnet, ranges.neck, ranges.means
    is_for_it = known == (subnet.sha256, light_neck_sha256(subnet), sha256(_means_bytes(subnet)).hexdigest())
    return ranges if is_for_it else None


def int8_means(subnet: SubnetManifest) -> Mapping[str, Float32]:
    """Return the means of what convolutions are given, `(channels,)`, that come with a subnet's ranges."""
    means: Mapping[str, Float32] = load_tensors(_means_bytes(subnet))
    return means


def int8_graph(
    graph: bytes, ranges: Int8Ranges, means: Mapping[str, Float32], *, narrow: bool = True
) -> bytes:
    """Return the same network with int8 convolutions and additions, for `PIXELS_NAME`, `(n, h, w, 3) uint8`.

    Args:
        graph: A serialised ONNX model as `levels_graph` returns it.
        ranges: Of its tensors.
        means: Of its tensors, `(channels,)`.
        narrow: Outputs have their true width; else zero channels may follow.
    """
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    calibrate: Any = importlib.import_module("onnxruntime.quantization.calibrate")
    quantizer: Any = importlib.import_module("onnxruntime.quantization.qdq_quantizer")
    known = {
        name: (np.float32(lowest), np.float32(highest)) for name, (lowest, highest) in ranges.ranges.items()
    }
    tensors = {
        name: calibrate.TensorData(lowest=lowest, highest=highest)
        for name, (lowest, highest) in {**known, INPUT_NAME: _BYTE_STEPS}.items()
    }
    model = onnx.load_from_string(graph)
    take_back_rounding(model, means, ranges.kept)
    maker = quantizer.QDQQuantizer(
        # Measured: a pruned network whose widths are odd takes half as long again.
        onnx.load_from_string(widened(model.SerializeToString(), any_block=_BLOCK, narrow=narrow)),
        per_channel=True,
        reduce_range=False,
        weight_qType=quantization.QuantType.QInt8,
        activation_qType=quantization.QuantType.QUInt8,
        tensors_range=calibrate.TensorsData(calibrate.CalibrationMethod.MinMax, tensors),
        nodes_to_quantize=None,
        nodes_to_exclude=list(ranges.kept),
        op_types_to_quantize=["Conv", "Add", "Clip"],
        extra_options={},
    )
    maker.quantize_model()
    made: onnx.ModelProto = maker.model.model
    _take_pixels(made.graph)
    return bytes(made.SerializeToString())


def _take_pixels(graph: onnx.GraphProto) -> None:
    """Let a network take bytes, row by row: as int8 numbers they are what they would be made anyhow."""
    step, zero, planes = (f"{PIXELS_NAME}.{part}" for part in ("step", "zero", "planes"))
    graph.initializer.append(numpy_helper.from_array(np.array(1 / 128, np.float32), step))
    graph.initializer.append(numpy_helper.from_array(np.array(127, np.uint8), zero))
    nodes = [
        helper.make_node("Transpose", [PIXELS_NAME], [planes], perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", [planes, step, zero], [INPUT_NAME]),
        *graph.node,
    ]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info(PIXELS_NAME, TensorProto.UINT8, ["n", "h", "w", 3]))


def _means_bytes(subnet: SubnetManifest) -> bytes:
    return (_NECKS / f"{subnet.name}.means.safetensors").read_bytes()
