"""Subnet and neck as one graph say the same; as int8 numbers, nearly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

import cloud.detector
from cloud.detector.light import light_neck
from cloud.detector.light_graph import LEVEL_NAMES, levels_graph
from cloud.detector.light_int8 import (
    PIXELS_NAME,
    Int8Levels,
    Int8Ranges,
    int8_graph,
    int8_ranges,
    multiplies_bytes,
)
from cloud.detector.light_ranges import find_means, find_ranges
from cloud.subnets.features import Features, OnnxExtractor, open_session, run_session
from cloud.subnets.graph import INPUT_NAME
from cloud.subnets.registry import subnet_by_name
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.resize import resize

SUBNETS = ("efficientnet_lite0", "ssd_mobilenet_v2")
LITE0 = subnet_by_name("efficientnet_lite0")
NECKS = Path(*cloud.detector.__path__) / "necks"


@pytest.fixture
def scene() -> Rgb:
    """Give soft blobs of colour `(1, 128, 192, 3)`: noise alone is like no picture."""
    coarse = np.random.default_rng(5).integers(0, 255, (8, 12, 3)).astype(np.uint8)
    return resize(coarse, 192, 128)[None]


def plain_levels(subnet: str, pixels: Rgb) -> list[Float32]:
    """Return what the neck makes of what the subnet says."""
    manifest = subnet_by_name(subnet)
    features = OnnxExtractor(manifest).features(pixels)
    with torch.inference_mode():
        inputs = [torch.from_numpy(level).permute(0, 3, 1, 2) for level in features]
        return [level.permute(0, 2, 3, 1).numpy() for level in light_neck(manifest)(inputs)]


def off_by(levels: Features, plain: list[Float32]) -> list[float]:
    """Return how far each level is off, in shares of its spread."""
    return [
        float(np.sqrt(np.square(ours - theirs).mean()) / theirs.std())
        for ours, theirs in zip(levels, plain, strict=True)
    ]


@pytest.mark.parametrize("subnet", SUBNETS)
def test_levels_graph_answers_as_subnet_and_neck(subnet: str, scene: Rgb) -> None:
    session = open_session(levels_graph(subnet_by_name(subnet)))
    levels = run_session(session, LEVEL_NAMES, scene)
    assert max(off_by(levels, plain_levels(subnet, scene))) < 1e-4


@pytest.mark.parametrize("subnet", SUBNETS)
def test_int8_levels_are_near_those_of_float(subnet: str, scene: Rgb) -> None:
    manifest = subnet_by_name(subnet)
    ranges = int8_ranges(manifest)
    assert ranges is not None
    if not multiplies_bytes(torch.cpu.get_capabilities()):
        pytest.skip("this processor's sums of int8 products overflow")
    assert max(off_by(Int8Levels(manifest, ranges).levels(scene), plain_levels(subnet, scene))) < 0.2


def test_int8_graph_takes_bytes_as_the_numbers_that_float_ones_would_be(scene: Rgb) -> None:
    ranges = int8_ranges(LITE0)
    assert ranges is not None
    graph = onnx.load_from_string(int8_graph(levels_graph(LITE0), ranges, {}))
    graph.graph.output.append(helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, None))
    (image,) = open_session(graph.SerializeToString()).run([INPUT_NAME], {PIXELS_NAME: scene})
    assert np.array_equal(image, (scene.transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128)


@pytest.mark.parametrize(
    ("capabilities", "quick"),
    [
        ({"avx512_vnni": True}, True),
        ({"avx_vnni": True, "avx512_vnni": False}, True),
        ({"avx2": True, "avx512_vnni": False}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_processor_with_instructions_for_bytes_is_quick_with_them(
    capabilities: Mapping[str, object], *, quick: bool
) -> None:
    assert multiplies_bytes(capabilities) is quick


def test_ranges_of_another_subnet_are_not_taken() -> None:
    assert int8_ranges(LITE0.model_copy(update={"sha256": "0" * 64})) is None
    assert int8_ranges(LITE0.model_copy(update={"name": "mine"})) is None


@pytest.mark.parametrize("subnet", SUBNETS)
def test_ranges_name_every_tensor_of_the_graph(subnet: str) -> None:
    manifest = subnet_by_name(subnet)
    ranges = int8_ranges(manifest)
    assert isinstance(ranges, Int8Ranges)
    nodes = onnx.load_from_string(levels_graph(manifest)).graph.node
    inner = {name for node in nodes for name in node.output} - set(LEVEL_NAMES)
    assert set(ranges.ranges) == inner
    assert set(ranges.kept) <= {node.name for node in nodes}


@pytest.mark.parametrize("subnet", SUBNETS)
def test_means_are_of_what_every_convolution_but_the_first_is_given(subnet: str) -> None:
    nodes = onnx.load_from_string(levels_graph(subnet_by_name(subnet))).graph.node
    given = {node.input[0] for node in nodes if node.op_type == "Conv"} - {INPUT_NAME}
    means = load_file(NECKS / f"{subnet}.means.safetensors")
    assert set(means) == given
    assert all(0.0 <= mean.min() <= mean.max() <= 6.0 for name, mean in means.items() if "depthwise" in name)


def test_means_are_over_all_places_and_views() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["image", "image"], ["square"], name="square"),
            helper.make_node("Conv", ["square", "weight"], ["out"], name="out"),
        ],
        "squares",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    views = [np.full((2, 2, 3), 127 + level, np.uint8) for level in (64, 128)]
    means = find_means(model.SerializeToString(), views)
    assert {name: mean.tolist() for name, mean in means.items()} == {"square": [0.625] * 3}


def test_ranges_span_what_all_views_show() -> None:
    node = helper.make_node("Mul", ["image", "image"], ["square"], name="square")
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("image", *LEVEL_NAMES)]
    same = [helper.make_node("Identity", ["square"], [name]) for name in LEVEL_NAMES]
    graph = helper.make_graph([node, *same], "squares", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    views = [np.full((2, 2, 3), 127 + 64, np.uint8), np.full((2, 2, 3), 127 + 128, np.uint8)]
    assert find_ranges(model.SerializeToString(), views) == {"square": (0.25, 1.0)}
