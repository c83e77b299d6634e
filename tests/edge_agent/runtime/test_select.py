"""The right runtime for a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.select import open_backend
from tests.edge_agent.runtime.tiny_bundle import write_tiny_bundle


def onnx_network(size_px: int = 8, scores: str = "scores", kind: int = TensorProto.FLOAT) -> bytes:
    """Return a network whose boxes are 0 and whose scores are the mean of the picture's channels."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("Reshape", ["mean", "scores_shape"], ["row"]),
            helper.make_node("Tile", ["row", "repeats"], ["tiled"]),
            helper.make_node("Cast", ["tiled"], [scores], to=kind),
            helper.make_node("Identity", ["zeros"], ["boxes"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, size_px, size_px, 3])],
        [
            helper.make_tensor_value_info(scores, kind, [1, 3, 3]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 3, 4]),
        ],
        [
            helper.make_tensor("scores_shape", TensorProto.INT64, [3], [1, 1, 3]),
            helper.make_tensor("repeats", TensorProto.INT64, [3], [1, 3, 1]),
            helper.make_tensor("zeros", TensorProto.FLOAT, [1, 3, 4], [0.0] * 12),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    serialized: bytes = model.SerializeToString()
    onnx.checker.check_model(model)
    return serialized


def test_onnx_network_answers_by_name(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path, onnx_network())
    backend = open_backend(open_bundle(tmp_path))
    pixels = np.broadcast_to(np.array([255, 127, 0], np.uint8), (1, 8, 8, 3)).copy()
    outputs = backend.infer(pixels)
    assert set(outputs) == {"scores", "boxes"}
    np.testing.assert_allclose(outputs["scores"][0, 2], [1.0, 0.0, -127 / 128], atol=1e-6)
    with pytest.raises(BackendError, match="takes"):
        backend.infer(pixels[:, :4])
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.infer(pixels)


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (b"no network", BackendError, "cannot load"),
        (onnx_network(size_px=16), ArtifactError, "manifest promises"),
        (onnx_network(scores="points"), ArtifactError, "no output 'scores'"),
        (onnx_network(kind=TensorProto.INT8), ArtifactError, "expected a float"),
    ],
)
def test_network_that_does_not_fit_is_refused(
    tmp_path: Path, model: bytes, error: type[Exception], words: str
) -> None:
    write_tiny_bundle(tmp_path, model)
    with pytest.raises(error, match=words) as caught:
        open_backend(open_bundle(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("runtime", ["litert", "tflite"])
def test_file_that_is_no_tflite_is_refused(tmp_path: Path, runtime: str) -> None:
    write_tiny_bundle(tmp_path, b"no network", runtime)
    with pytest.raises(BackendError, match="cannot load the network") as caught:
        open_backend(open_bundle(tmp_path))
    assert "\n" not in str(caught.value)
