"""Decoding against loops that follow the formulas word by word."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.vision.arrays import Float32
from edge_agent.vision.decode import Candidates, decode_head, logit, sigmoid
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import (
    AnchorFreeDecoder,
    AnchorFreeLevel,
    Head,
    InputSpec,
    LabelSpec,
    SsdDecoder,
)

SPEC = InputSpec(name="image", width_px=64, height_px=32, dtype="float32")
SSD = SsdDecoder(boxes_output="b", scores_output="s", anchors_file="anchors.npy")
ANCHOR_FREE = AnchorFreeDecoder(
    levels=(
        AnchorFreeLevel(stride_px=8, scores_output="s8", boxes_output="b8"),
        AnchorFreeLevel(stride_px=16, scores_output="s16", boxes_output="b16"),
    )
)
Row = tuple[float, int, tuple[float, float, float, float]]


def head(decoder: AnchorFreeDecoder | SsdDecoder, classes: int) -> Head:
    labels = tuple(LabelSpec(name=f"c{i}", slug=f"c{i}", threshold=0.5) for i in range(classes))
    return Head(detector=DetectorRef(id="d", name="d", version=1), labels=labels, decoder=decoder)


def rows(candidates: Candidates) -> list[Row]:
    return [
        (float(score), int(label), (float(b[0]), float(b[1]), float(b[2]), float(b[3])))
        for b, score, label in zip(candidates.boxes_px, candidates.scores, candidates.labels, strict=True)
    ]


def naive_sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def naive_level(scores: Float32, boxes: Float32, stride: int, kernel: int, floor: float) -> list[Row]:
    height, width, classes = scores.shape
    found: list[Row] = []
    for y in range(height):
        for x in range(width):
            for c in range(classes):
                around = [
                    scores[j, i, c]
                    for j in range(max(0, y - kernel // 2), min(height, y + kernel // 2 + 1))
                    for i in range(max(0, x - kernel // 2), min(width, x + kernel // 2 + 1))
                ]
                score = naive_sigmoid(scores[y, x, c])
                if score >= floor and scores[y, x, c] >= max(around):
                    left, top, right, bottom = (max(0.0, float(d)) for d in boxes[y, x])
                    cx, cy = x + 0.5, y + 0.5
                    box = (cx - left, cy - top, cx + right, cy + bottom)
                    found.append(
                        (score, c, (box[0] * stride, box[1] * stride, box[2] * stride, box[3] * stride))
                    )
    return found


def assert_same_rows(found: list[Row], expected: list[Row]) -> None:
    assert len(found) == len(expected)
    for a, b in zip(sorted(found), sorted(expected), strict=True):
        assert a[1] == b[1]
        assert a[0] == pytest.approx(b[0], abs=1e-5)
        assert a[2] == pytest.approx(b[2], abs=1e-3)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(1, 3))
def test_anchor_free_is_the_naive_loop(kernel: int, seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    outputs: dict[str, Float32] = {}
    expected: list[Row] = []
    for stride in (8, 16):
        grid = (32 // stride, 64 // stride)
        scores = rng.normal(-1, 2, (1, *grid, classes)).astype(np.float32)
        boxes = rng.normal(2, 2, (1, *grid, 4)).astype(np.float32)
        outputs |= {f"s{stride}": scores, f"b{stride}": boxes}
        expected += naive_level(scores[0], boxes[0], stride, kernel, 0.2)
    decoder = ANCHOR_FREE.model_copy(update={"peak_kernel": kernel})
    found = decode_head(head(decoder, classes), outputs, SPEC, None, score_floor=0.2)
    assert_same_rows(rows(found), expected)
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize("background", [None, 0, 2])
@given(seed=st.integers(0, 2**32 - 1))
def test_ssd_is_the_naive_loop(background: int | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    anchors = rng.uniform(0.1, 0.9, (20, 4)).astype(np.float32)
    boxes = rng.normal(0, 3, (1, 20, 4)).astype(np.float32)
    scores = rng.normal(-1, 2, (1, 20, 2 + (background is not None))).astype(np.float32)
    expected: list[Row] = []
    for anchor, shift, row in zip(anchors.tolist(), boxes[0].tolist(), scores[0].tolist(), strict=True):
        cy, cx = shift[0] / 10 * anchor[2] + anchor[0], shift[1] / 10 * anchor[3] + anchor[1]
        h, w = math.exp(shift[2] / 5) * anchor[2], math.exp(shift[3] / 5) * anchor[3]
        box = ((cx - w / 2) * 64, (cy - h / 2) * 32, (cx + w / 2) * 64, (cy + h / 2) * 32)
        classes = [value for index, value in enumerate(row) if index != background]
        expected += [
            (naive_sigmoid(value), label, box)
            for label, value in enumerate(classes)
            if naive_sigmoid(value) >= 0.3
        ]
    decoder = SSD.model_copy(update={"background_index": background})
    found = decode_head(head(decoder, 2), {"b": boxes, "s": scores}, SPEC, anchors, score_floor=0.3)
    assert_same_rows(rows(found), expected)


@given(st.floats(-(2.0**100), 2.0**100, width=32))
def test_sigmoid_is_finite_and_odd_about_one_half(x: float) -> None:
    pair = sigmoid(np.array([x, -x], np.float32))
    assert np.isfinite(pair).all()
    assert float(pair.sum()) == pytest.approx(1.0, abs=1e-6)


@given(st.floats(0.001, 0.999))
def test_logit_undoes_sigmoid(score: float) -> None:
    assert float(sigmoid(np.array([logit(score)], np.float32))[0]) == pytest.approx(score, abs=1e-5)


def test_only_the_best_candidates_are_kept() -> None:
    scores = np.arange(20, dtype=np.float32).reshape(1, 20, 1)
    boxes = np.zeros((1, 20, 4), np.float32)
    decoder = SSD.model_copy(update={"background_index": None})
    anchors = np.ones((20, 4), np.float32)
    found = decode_head(head(decoder, 1), {"b": boxes, "s": scores}, SPEC, anchors, max_candidates=3)
    assert found.scores.tolist() == pytest.approx(sigmoid(np.array([19, 18, 17], np.float32)).tolist())


def test_huge_size_logit_gives_a_finite_box() -> None:
    outputs = {"b": np.full((1, 1, 4), 1e6, np.float32), "s": np.full((1, 1, 2), 5, np.float32)}
    found = decode_head(head(SSD, 1), outputs, SPEC, np.ones((1, 4), np.float32))
    assert np.isfinite(found.boxes_px).all()


def grid_outputs(**changes: Float32 | None) -> dict[str, Float32]:
    outputs: dict[str, Float32 | None] = {
        "s8": np.zeros((1, 4, 8, 1), np.float32),
        "b8": np.zeros((1, 4, 8, 4), np.float32),
        "s16": np.zeros((1, 2, 4, 1), np.float32),
        "b16": np.zeros((1, 2, 4, 4), np.float32),
        **changes,
    }
    return {name: array for name, array in outputs.items() if array is not None}


@pytest.mark.parametrize(
    ("outputs", "error", "words"),
    [
        (grid_outputs(s16=None), ArtifactError, "no output 's16'"),
        (grid_outputs(s8=np.zeros((1, 4, 8, 2), np.float32)), ArtifactError, "last size 1"),
        (grid_outputs(b8=np.zeros((1, 4, 9, 4), np.float32)), ArtifactError, "different grids"),
        (grid_outputs(s8=np.full((1, 4, 8, 1), np.nan, np.float32)), BackendError, "not finite"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(
    outputs: Mapping[str, Float32], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        decode_head(head(ANCHOR_FREE, 1), outputs, SPEC, None)


@pytest.mark.parametrize("anchors", [None, np.ones((2, 4), np.float32)])
def test_anchors_that_do_not_fit_are_refused(anchors: Float32 | None) -> None:
    outputs = {"b": np.zeros((1, 3, 4), np.float32), "s": np.zeros((1, 3, 2), np.float32)}
    with pytest.raises(ArtifactError, match="anchors"):
        decode_head(head(SSD, 1), outputs, SPEC, anchors)
