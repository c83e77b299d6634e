"""Full detectors with int8 numbers: twice as quick where the processor multiplies bytes.

The subnet is the one of `cloud.detector.light_int8` without the neck; its maps come out as bytes, which the
detector's own head reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from cloud.detector.head import AnchorFreeHead
from cloud.detector.head_int8 import ANSWERS, ByteMap, head_graph, map_name
from cloud.detector.light_graph import named
from cloud.detector.light_int8 import (
    PIXELS_NAME,
    Int8Ranges,
    int8_graph,
    int8_means,
    int8_ranges,
    multiplies_bytes,
)
from cloud.subnets.features import open_session
from cloud.subnets.graph import OUTPUT_NAMES, Array
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.trunks import load_graph
from edge_agent.vision.arrays import Float32, Rgb

_LEAST = np.zeros((1, 32, 32, 3), np.uint8)


class Int8Maps:
    """A subnet, int8, whose maps are bytes; one thread a call, safe to call from several threads at once."""

    def __init__(self, subnet: SubnetManifest, ranges: Int8Ranges) -> None:
        graph, steps = _bytes_out(
            int8_graph(named(load_graph(subnet)), ranges, int8_means(subnet), narrow=False)
        )
        self._session = open_session(graph)
        self.forms = tuple(
            ByteMap(one.shape[-1], step, zero)
            for one, (step, zero) in zip(self.maps(_LEAST), steps, strict=True)
        )

    def maps(self, pixels: Rgb) -> Sequence[Array]:
        """Return a map a level, as `forms` says, of `(n, h, w, 3) uint8`; h and w are multiples of 32."""
        names = [_bytes(name) for name in OUTPUT_NAMES]
        return self._session.run(names, {PIXELS_NAME: np.ascontiguousarray(pixels)})


class Int8Full:
    """A full detector, int8, one thread a call."""

    def __init__(self, head: AnchorFreeHead, subnets: Sequence[Int8Maps]) -> None:
        self._subnets, self._classes = subnets, head.scores.out_channels
        forms = [form for one in subnets for form in one.forms]
        # Heads are many: each would keep 4 MB, and is no quicker for it.
        self._session = open_session(head_graph(head, forms), keeps_memory=False)

    def outputs(self, pixels: Rgb) -> tuple[Float32, Float32]:
        """Return logits `(n, h/8, w/8, classes)` and distances `(n, h/8, w/8, 4)` of `(n, h, w, 3) uint8`."""
        maps = (one for subnet in self._subnets for one in subnet.maps(pixels))
        (answers,) = self._session.run([ANSWERS], {map_name(index): one for index, one in enumerate(maps)})
        return answers[..., : self._classes], np.maximum(answers[..., self._classes :], 0)


def int8_full(head: AnchorFreeHead, subnets: Sequence[SubnetManifest]) -> Int8Full | None:
    """Return a full detector, int8; none where that is not known to be good.

    Args:
        head: Its head.
        subnets: What it builds on, in the head's order.

    Raises:
        InputError: A subnet's weights are missing or not the known ones.
    """
    if not multiplies_bytes(torch.cpu.get_capabilities()):
        return None
    known = [one for subnet in subnets if (one := _int8_maps(subnet)) is not None]
    return Int8Full(head, known) if len(known) == len(subnets) else None


@cache
def _int8_maps(subnet: SubnetManifest) -> Int8Maps | None:
    """Return a subnet, int8, for all of a process; none where there are no ranges."""
    ranges = int8_ranges(subnet)
    return None if ranges is None else Int8Maps(subnet, ranges)


def _bytes_out(graph: bytes) -> tuple[bytes, list[tuple[float, int]]]:
    """Let a quantized network give the bytes of its outputs, channels last; say their steps and zeros."""
    model = onnx.load_from_string(graph)
    maker = {name: node for node in model.graph.node for name in node.output}
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    steps = []
    for name in OUTPUT_NAMES:
        node = maker[name]
        while node.op_type == "Identity":
            node = maker[node.input[0]]
        source, step, zero = node.input
        steps.append((float(constants[step]), int(constants[zero])))
        model.graph.node.append(helper.make_node("Transpose", [source], [_bytes(name)], perm=[0, 2, 3, 1]))
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(_bytes(name), TensorProto.UINT8, None) for name in OUTPUT_NAMES
    )
    return bytes(model.SerializeToString()), steps


def _bytes(name: str) -> str:
    return f"{name}.bytes"
