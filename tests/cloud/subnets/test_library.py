"""Every subnet that comes with elfowl: manifest true, torch and ONNX Runtime alike, padding that of SAME."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import pytest
import torch

from cloud.subnets.adapters.inverted_residual import InvertedResidualTrunk
from cloud.subnets.count import Cost, count
from cloud.subnets.features import FeatureExtractor, OnnxExtractor
from cloud.subnets.onnx_trunk import onnx_trunk
from cloud.subnets.registry import built_in, subnet_by_name
from cloud.subnets.trunks import load_trunk
from cloud.subnets.weights import licence_text

NAMES = tuple(subnet.name for subnet in built_in())

the_trunk = cache(lambda name: load_trunk(subnet_by_name(name)))
the_extractor = cache(lambda name: OnnxExtractor(subnet_by_name(name)))


@pytest.fixture(params=NAMES)
def extractor(request: pytest.FixtureRequest) -> FeatureExtractor:
    made: FeatureExtractor = the_extractor(request.param)
    return made


def test_library_holds_the_subnets_that_the_documents_promise() -> None:
    assert NAMES == ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "ssd_mobilenet_v2")


@pytest.mark.slow
def test_extractor_equals_torch_at_two_sizes(extractor: FeatureExtractor) -> None:
    for size_px in ((64, 96), (160, 32)):
        pixels = np.random.default_rng(2).integers(0, 256, (2, *size_px, 3), dtype=np.uint8)
        image = (torch.from_numpy(pixels).float().permute(0, 3, 1, 2) - 127) / 128
        with torch.inference_mode():
            expected = the_trunk(extractor.subnet.name)(image)
        for ours, torchs in zip(extractor.features(pixels), expected, strict=True):
            assert np.abs(ours - torchs.permute(0, 2, 3, 1).numpy()).max() < 1e-3


def test_features_have_the_manifest_s_shapes(extractor: FeatureExtractor) -> None:
    maps = extractor.features(np.zeros((2, 96, 128, 3), np.uint8))
    expected = [
        (2, 96 // level.stride_px, 128 // level.stride_px, level.channels)
        for level in extractor.subnet.levels
    ]
    assert [features.shape for features in maps] == expected


def test_manifest_tells_the_true_cost(extractor: FeatureExtractor) -> None:
    told = Cost(extractor.subnet.parameters, extractor.subnet.macs)
    trunk = the_trunk(extractor.subnet.name)
    assert isinstance(trunk, InvertedResidualTrunk)
    assert count(onnx_trunk(trunk)) == told


def test_licence_travels(extractor: FeatureExtractor) -> None:
    assert extractor.subnet.licence == "Apache-2.0"
    assert "Apache" in licence_text(extractor.subnet)


def test_count_of_known_layers_is_that_of_the_definition() -> None:
    weights = [
        onnx.numpy_helper.from_array(np.zeros((8, 3, 3, 3), np.float32), "w"),
        onnx.numpy_helper.from_array(np.zeros(8, np.float32), "b"),
    ]
    node = onnx.helper.make_node("Conv", ["image", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        weights,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    found = count(model.SerializeToString())
    assert found == Cost(parameters=8 * 3 * 9 + 8, macs=192 * 256 * 8 * 27)
