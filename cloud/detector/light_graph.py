"""A subnet and its light neck as one ONNX graph: one call, and nothing but what the heads read comes out."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cloud.detector.light import NECK_CONTEXTS_CELLS, light_neck
from cloud.subnets.graph import OUTPUT_NAMES
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.trunks import load_graph

LEVEL_NAMES = ("neck8", "neck16", "neck32")
"""Outputs, one a level, `(n, h, w, channels) float32`, finest first."""


def levels_graph(subnet: SubnetManifest) -> bytes:
    """Return a subnet with its light neck as a serialised ONNX model; every node has a name.

    Input as that of `load_graph`; outputs as `LightNeck` gives them, channels last.

    Raises:
        InputError: The subnet has no neck, or its weights are missing or not the known ones.
    """
    model = onnx.load_from_string(load_graph(subnet))
    graph, neck = model.graph, light_neck(subnet)
    for source, name, layer, cells in zip(
        OUTPUT_NAMES, LEVEL_NAMES, neck.projections, NECK_CONTEXTS_CELLS, strict=True
    ):
        _add_level(graph, source, name, layer, cells)
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "h", "w", "c"]) for name in LEVEL_NAMES
    )
    return named(model.SerializeToString())


def named(graph: bytes) -> bytes:
    """Return the same network, in which every node has a name: that of what comes out of it."""
    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        node.name = node.name or node.output[0]
    return bytes(model.SerializeToString())


def _add_level(graph: onnx.GraphProto, source: str, name: str, layer: nn.Module, cells: int) -> None:
    own = f"{name}.own"
    values = {f"{own}.{part}": value.detach().numpy() for part, value in layer.named_parameters()}
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in values.items())
    nodes = [helper.make_node("Conv", [source, *values], [own], kernel_shape=[1, 1])]
    mixed = own
    if cells:
        mixed = f"{name}.mixed"
        nodes += [
            _mean(own, f"{name}.across", (1, cells)),
            _mean(f"{name}.across", f"{name}.around", (cells, 1)),
            helper.make_node("Concat", [own, f"{name}.around"], [mixed], axis=1),
        ]
    graph.node.extend([*nodes, helper.make_node("Transpose", [mixed], [name], perm=[0, 2, 3, 1])])


def _mean(source: str, name: str, kernel: tuple[int, int]) -> onnx.NodeProto:
    """Return a mean over cells; beyond the edge there is nothing."""
    before = [side // 2 for side in kernel]
    return helper.make_node(
        "AveragePool", [source], [name], kernel_shape=kernel, pads=[*before, *before], count_include_pad=0
    )
