"""What light heads read, worked out with int8 numbers: twice as quick where the processor multiplies bytes.

A file beside each neck says between which numbers each layer's answers lie; they were seen in photos. With
them a subnet and its neck are made int8 in a second, by ONNX Runtime's quantizer, when they are loaded. The
first layers stay as they are: they cost hardly more so, and half of what int8 numbers are off by is theirs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import onnx
import torch
from pydantic import BaseModel, ConfigDict, Field

from cloud.detector.light import has_light_neck, light_neck_sha256
from cloud.detector.light_graph import LEVEL_NAMES, levels_graph
from cloud.subnets.features import Features, open_session, run_session
from cloud.subnets.graph import INPUT_NAME
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.widen import widened
from edge_agent.vision.arrays import Rgb

_NECKS = files("cloud.detector") / "necks"
_QUICK = ("avx512_vnni", "avx_vnni")
"""Of an x86 processor: it multiplies bytes four at a time, and no sum of two products overflows."""

_BLOCK = 16
"""Channels that instructions for bytes take at once."""

_BYTE_STEPS = (np.float32(-127 / 128), np.float32(1.0))
"""Between which numbers every input lies."""


class Int8Ranges(BaseModel):
    """Between which numbers the answers of layers lie.

    Attributes:
        subnet: Digest of the subnet's weights.
        neck: Digest of the neck's file.
        photos: In which that was seen: digest and name of each.
        kept: Nodes that stay float.
        ranges: Lowest and highest number of each tensor.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["elfowl-int8-ranges-1"] = "elfowl-int8-ranges-1"
    subnet: str
    neck: str
    photos: tuple[str, ...]
    kept: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]] = Field(min_length=1)


class Int8Levels:
    """A subnet with its neck, int8, one thread a call; safe to call from several threads at once."""

    def __init__(self, subnet: SubnetManifest, ranges: Int8Ranges) -> None:
        self._session = open_session(int8_graph(levels_graph(subnet), ranges))

    def levels(self, pixels: Rgb) -> Features:
        """Return what the neck makes of `(n, h, w, 3) uint8`, h and w multiples of 32."""
        return run_session(self._session, LEVEL_NAMES, pixels)


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
    is_for_it = (ranges.subnet, ranges.neck) == (subnet.sha256, light_neck_sha256(subnet))
    return ranges if is_for_it else None


def int8_graph(graph: bytes, ranges: Int8Ranges, *, narrow: bool = True) -> bytes:
    """Return the same network with int8 convolutions and additions.

    Args:
        graph: A serialised ONNX model as `levels_graph` returns it.
        ranges: Of its tensors.
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
    maker = quantizer.QDQQuantizer(
        # Measured: a pruned network whose widths are odd takes half as long again.
        onnx.load_from_string(widened(graph, any_block=_BLOCK, narrow=narrow)),
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
    return bytes(maker.model.model.SerializeToString())
