"""What rounding weights takes from sums in the mean, and biases that give it back."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cloud.detector.light_rounding import lost_in_mean, take_back_rounding
from edge_agent.vision.arrays import Float32

# A step is a 127th of the highest weight: here 1, so 0.4 is lost of the first channel and -0.4 of the second.
WEIGHT = np.array([[127.0, 3.4], [127.0, 2.6]], np.float32).reshape(2, 2, 1, 1)
MEANS = np.array([1.0, 5.0], np.float32)


def layer(weight: Float32, groups: int = 1) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Conv", ["given", "weight", "bias"], ["sum"], name="layer", group=groups)],
        "layer",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.array([10.0, 20.0], np.float32), "bias"),
        ],
    )
    return helper.make_model(graph)


def bias_of(model: onnx.ModelProto) -> list[float]:
    bias = next(one for one in model.graph.initializer if one.name == "bias")
    return [round(value, 4) for value in numpy_helper.to_array(bias).tolist()]


def test_rounding_of_a_layer_takes_its_share_of_what_it_is_given() -> None:
    np.testing.assert_allclose(lost_in_mean(WEIGHT, MEANS), [2.0, -2.0], atol=1e-3)


def test_rounding_of_a_layer_with_a_filter_for_each_channel_takes_of_that_channel() -> None:
    filters = np.array([[127.0, 3.4], [127.0, 2.4]], np.float32).reshape(2, 1, 1, 2)
    np.testing.assert_allclose(lost_in_mean(filters, MEANS), [0.4, 2.0], atol=1e-3)


def test_channel_without_weights_loses_nothing() -> None:
    assert lost_in_mean(np.zeros((2, 2, 1, 1), np.float32), MEANS).tolist() == [0.0, 0.0]


def test_bias_gives_back_what_rounding_takes() -> None:
    model = layer(WEIGHT)
    take_back_rounding(model, {"given": MEANS}, ())
    assert bias_of(model) == [12.0, 18.0]


def test_layer_that_stays_float_or_whose_means_are_not_known_keeps_its_bias() -> None:
    for means, kept in (({"given": MEANS}, ["layer"]), ({}, [])):
        model = layer(WEIGHT)
        take_back_rounding(model, means, kept)
        assert bias_of(model) == [10.0, 20.0]
