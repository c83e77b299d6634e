"""A trunk and its heads: run once, handed on as it is, refused when they do not belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from pydantic import ValidationError

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.backend import Raw, SplitBackend, Tensor
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.select import open_backend
from edge_agent.wire.manifest import InputSpec, Manifest, TrunkMap
from tests.edge_agent.runtime.tiny_bundle import split_into_parts, write_tiny_bundle

SPEC = InputSpec(name="image", width_px=8, height_px=8, dtype="int8")
MAP = TrunkMap(output="map", height=1, width=1, channels=2, dtype="int8", scale=0.5, zero_point=-128)
MAP_TENSOR = Tensor((1, 1, 1, 2), "int8", 0.5, -128)
PIXELS = np.zeros((1, 8, 8, 3), np.uint8)


class FakeNetwork:
    """Implements `edge_agent.runtime.backend.Network`: answers what it was given, and notes what it got."""

    def __init__(self, takes: Tensor, answers: dict[str, tuple[Tensor, Raw]]) -> None:
        self.input = takes
        self._answers = answers
        self.got: list[Raw] = []
        self.closed = False

    def outputs(self, names: Sequence[str]) -> dict[str, Tensor]:
        return {name: self._answers[name][0] for name in names}

    def run(self, values: Raw, names: Sequence[str]) -> dict[str, Raw]:
        self.got.append(values)
        return {name: self._answers[name][1] for name in names}

    def close(self) -> None:
        self.closed = True


def trunk(tensor: Tensor = MAP_TENSOR) -> FakeNetwork:
    mixed = np.array([[[[-128, 127]]]], np.int8)
    return FakeNetwork(Tensor((1, 8, 8, 3), "int8", 1 / 128, -1), {"map": (tensor, mixed)})


def head(name: str, value: int, takes: Tensor = MAP_TENSOR) -> FakeNetwork:
    return FakeNetwork(takes, {name: (Tensor((1, 1), "int8", 0.25, 3), np.array([[value]], np.int8))})


def test_trunk_runs_once_and_its_map_reaches_every_head_unchanged() -> None:
    body, first, second = trunk(), head("a", 7), head("b", 11)
    backend = SplitBackend(body, [(first, ["a"]), (second, ["b"])], SPEC, MAP)
    answers = backend.infer(PIXELS)
    assert {name: array.tolist() for name, array in answers.items()} == {"a": [[1.0]], "b": [[2.0]]}
    assert len(body.got) == 1
    mixed = backend.last_map()
    assert mixed is not None
    assert mixed.tolist() == [[[0.0, 127.5]]]
    for one in (first, second):
        assert one.got[0].dtype == np.int8
        assert one.got[0].tolist() == [[[[-128, 127]]]]
    backend.close()
    assert body.closed
    assert first.closed
    assert second.closed


@pytest.mark.parametrize(
    "other",
    [
        Tensor((1, 1, 1, 3), "int8", 0.5, -128),
        Tensor((1, 1, 1, 2), "uint8", 0.5, -128),
        Tensor((1, 1, 1, 2), "int8", 0.5005, -128),
        Tensor((1, 1, 1, 2), "int8", 0.5, -127),
    ],
    ids=["shape", "type", "scale", "zero point"],
)
@pytest.mark.parametrize("side", ["trunk", "head"])
def test_parts_that_do_not_belong_together_are_refused(other: Tensor, side: str) -> None:
    body = trunk(other) if side == "trunk" else trunk()
    one = head("a", 1, other) if side == "head" else head("a", 1)
    with pytest.raises(ArtifactError, match="do not belong together"):
        SplitBackend(body, [(one, ["a"])], SPEC, MAP)


def onnx_part(nodes: list[onnx.NodeProto], takes: list[int], gives: dict[str, list[int]]) -> bytes:
    """Return a float network with the input `in`."""
    graph = helper.make_graph(
        nodes,
        "part",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, takes)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in gives.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    serialized: bytes = model.SerializeToString()
    return serialized


def onnx_head(suffix: str) -> bytes:
    return onnx_part(
        [
            helper.make_node("Squeeze", ["in"], ["row"]),
            helper.make_node("Neg", ["row"], [f"scores{suffix}"]),
            helper.make_node("Abs", ["row"], [f"boxes{suffix}"]),
        ],
        [1, 1, 1, 3],
        {f"scores{suffix}": [3], f"boxes{suffix}": [3]},
    )


def test_onnx_parts_answer_through_a_bundle(tmp_path: Path) -> None:
    mean = helper.make_node("ReduceMean", ["in"], ["map"], axes=[1, 2], keepdims=1)
    write_tiny_bundle(tmp_path, onnx_part([mean], [1, 8, 8, 3], {"map": [1, 1, 1, 3]}))
    split_into_parts(tmp_path, [onnx_head(""), onnx_head("1")])
    backend = open_backend(open_bundle(tmp_path))
    pixels = np.broadcast_to(np.array([255, 127, 0], np.uint8), (1, 8, 8, 3)).copy()
    answers = backend.infer(pixels)
    assert set(answers) == {"scores", "boxes", "scores1", "boxes1"}
    np.testing.assert_allclose(answers["scores1"], [-1.0, 0.0, 127 / 128], atol=1e-6)
    np.testing.assert_allclose(answers["boxes"], [1.0, 0.0, 127 / 128], atol=1e-6)
    assert isinstance(backend, SplitBackend)
    mixed = backend.last_map()
    assert mixed is not None
    # Floats are what they are; nothing is to be scaled.
    np.testing.assert_allclose(mixed.reshape(-1), [1.0, 0.0, -1.0], atol=1e-2)
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.infer(pixels)


def test_map_of_another_size_than_promised_is_refused(tmp_path: Path) -> None:
    mean = helper.make_node("ReduceMean", ["in"], ["map"], axes=[1], keepdims=1)
    write_tiny_bundle(tmp_path, onnx_part([mean], [1, 8, 8, 3], {"map": [1, 1, 8, 3]}))
    split_into_parts(tmp_path, [onnx_head("")])
    with pytest.raises(ArtifactError, match="do not belong together"):
        open_backend(open_bundle(tmp_path))


def test_manifest_with_half_a_split_is_refused(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path)
    fields = split_into_parts(tmp_path, [b"one", b"two"]).model_dump()
    for wrong in (
        {"trunk_map": None},
        {"heads": [fields["heads"][0] | {"model_file": None}]},
        {"heads": [fields["heads"][0], fields["heads"][0]]},
    ):
        with pytest.raises(ValidationError, match="head"):
            Manifest.model_validate(fields | wrong)
