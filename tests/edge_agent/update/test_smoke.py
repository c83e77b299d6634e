"""The trial on golden pictures: how answers are compared, and how its process may end."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.update.smoke import SmokeLimits, golden_mismatch, iou, main, run_smoke, smoke_test
from edge_agent.wire.detection import Detection
from edge_agent.wire.manifest import GoldenFrame
from tests.edge_agent.update.publisher import make_bundle_zip

LIMITS = SmokeLimits(score=0.1, iou=0.8)
BOX = (0.2, 0.2, 0.6, 0.6)
CAT = Detection(label="cat", score=0.9, box=BOX)

edges = st.floats(0.0, 1.0)
boxes = st.tuples(edges, edges, edges, edges).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


def cat(score: float = 0.9, box: tuple[float, float, float, float] = BOX, label: str = "cat") -> Detection:
    return Detection(label=label, score=score, box=box)


@pytest.mark.parametrize(
    ("expected", "found", "difference"),
    [
        ([], [], None),
        ([cat()], [cat()], None),
        ([cat()], [cat(0.82)], None),
        ([cat()], [cat(box=(0.21, 0.2, 0.6, 0.6))], None),
        ([cat()], [], "missing cat of score 0.90 at (0.20, 0.20, 0.60, 0.60)"),
        ([], [cat()], "unexpected cat"),
        ([cat()], [cat(0.7)], "missing cat"),
        ([cat()], [cat(box=(0.3, 0.3, 0.7, 0.7))], "missing cat"),
        ([cat()], [cat(label="dog")], "missing cat"),
        ([cat(), cat(box=(0.7, 0.7, 0.9, 0.9))], [cat()], "missing cat of score 0.90 at (0.70"),
        # At the edge of the threshold a detection may come and go between machines.
        ([cat(0.55)], [], None),
        ([], [cat(0.55)], None),
        ([cat(0.61)], [], "missing cat"),
    ],
)
def test_answers_are_compared_with_tolerance(
    expected: list[Detection], found: list[Detection], difference: str | None
) -> None:
    result = golden_mismatch(tuple(expected), found, {"cat": 0.5, "dog": 0.5}, LIMITS)
    assert result == difference or (difference is not None and str(result).startswith(difference))


@settings(deadline=None)
@given(st.lists(st.builds(Detection, label=st.just("cat"), score=edges, box=boxes), max_size=5))
def test_same_answers_always_agree_unless_a_box_has_no_area(detections: list[Detection]) -> None:
    solid = [d for d in detections if d.box[2] - d.box[0] > 1e-6 and d.box[3] - d.box[1] > 1e-6]
    assert golden_mismatch(tuple(solid), solid, {"cat": 0.5}, LIMITS) is None


@settings(deadline=None)
@given(boxes, boxes)
def test_iou_is_symmetric_and_within_0_and_1(
    first: tuple[float, float, float, float], second: tuple[float, float, float, float]
) -> None:
    assert iou(first, second) == iou(second, first)
    assert 0.0 <= iou(first, second) <= 1.0 + 1e-9


def test_iou_of_halves() -> None:
    assert iou((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("import os; os.abort()", ArtifactError, "crashed on its golden pictures"),
        ("raise SystemExit('out of memory')", ArtifactError, "out of memory"),
        ("print('not json')", ArtifactError, "crashed"),
        ("import time; time.sleep(60)", ArtifactError, "took longer than 1 s"),
        ("""print('{"problem": "answered otherwise"}')""", ArtifactError, "^answered otherwise$"),
        ("""print('{"problem": "no runtime", "unsupported": true}')""", BackendError, "no runtime"),
    ],
)
def test_bad_end_of_the_process_is_one_line(code: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text) as refused:
        run_smoke([sys.executable, "-c", code], "x.zip", 1.0 if "sleep" in code else 60.0)
    assert "\n" not in str(refused.value)


def test_good_end_of_the_process_is_its_report() -> None:
    code = """print('{"pictures": 3}')"""
    assert run_smoke([sys.executable, "-c", code], "x.zip", 60.0).pictures == 3


def constant_network(scores: list[list[float]]) -> bytes:
    """Return an ONNX network that answers the same to every picture."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    outputs = {
        "scores": np.array([scores], np.float32),
        "boxes": np.zeros((1, len(scores), 4), np.float32),
    }
    nodes = [
        onnx.helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(value))
        for name, value in outputs.items()
    ]
    picture = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, (1, 8, 8, 3))
    found = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, value.shape)
        for name, value in outputs.items()
    ]
    graph = onnx.helper.make_graph(nodes, "constant", [picture], found)
    opset = onnx.helper.make_opsetid("", 17)
    return bytes(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString())


def bundle_with_golden_picture(folder: Path, expected: tuple[Detection, ...]) -> Path:
    """Write a bundle whose network sees a cat in the middle of every picture."""
    import cv2

    folder.mkdir()
    picture = cv2.imencode(".png", np.zeros((40, 80, 3), np.uint8))[1].tobytes()
    (folder / "golden.png").write_bytes(picture)
    golden = GoldenFrame(image_file="golden.png", detections=expected)
    network = constant_network([[0.0, -20.0, -20.0], [0.0, -20.0, -20.0], [0.0, 4.0, -20.0]])
    return make_bundle_zip(folder, network, golden=(golden,))


def test_real_network_answers_its_golden_picture(tmp_path: Path) -> None:
    seen = Detection(label="cat", score=0.982, box=(0.4, 0.3, 0.6, 0.7))
    assert smoke_test(bundle_with_golden_picture(tmp_path / "good", (seen,))).pictures == 1


def test_real_network_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    expected = Detection(label="dog", score=0.95, box=(0.4, 0.3, 0.6, 0.7))
    with pytest.raises(ArtifactError, match=r"golden\.png is answered otherwise: missing dog"):
        smoke_test(bundle_with_golden_picture(tmp_path / "bad", (expected,)))


def test_network_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    path = make_bundle_zip(tmp_path / "bad", b"no network at all")
    with pytest.raises((ArtifactError, BackendError)):
        smoke_test(path)


def test_damaged_bundle_is_refused_by_the_process_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK")
    assert main([str(path), "0.1", "0.8"]) == 0
    assert "is no bundle" in capsys.readouterr().out
