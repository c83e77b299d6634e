"""COCO numbers against pycocotools, on the same files."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cloud.evaluation.bootstrap import mean_precision
from cloud.evaluation.coco import as_coco, coco_table, overall, precision_array
from cloud.training.evaluate import measure
from tests.cloud.evaluation.answered import HERE, THERE, answered, random_frames

CLASSES = ("a", "b", "c")


def reference(truth: dict[str, Any], answers: list[dict[str, Any]], folder: Path) -> NDArray[np.float64]:
    """Return pycocotools' precision array of files written to `folder`."""
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "answers.json").write_text(json.dumps(answers))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(folder / "truth.json"))
        evaluation = COCOeval(coco, coco.loadRes(str(folder / "answers.json")), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 9), crowds=st.booleans())
def test_precision_array_equals_pycocotools(
    tmp_path_factory: pytest.TempPathFactory, seed: int, frames: int, crowds: bool
) -> None:
    truth, answers = as_coco(random_frames(seed, frames), CLASSES)
    if crowds:
        for row in truth["annotations"][::4]:
            row["iscrowd"] = 1
    if not answers:
        return
    expected = reference(truth, answers, tmp_path_factory.mktemp("coco"))
    np.testing.assert_allclose(precision_array(truth, answers), expected, rtol=0, atol=1e-6)


def test_precision_array_many_classes_and_detections_equals_pycocotools(tmp_path: Path) -> None:
    classes = [f"class {number:02d}" for number in range(30)]
    truth, answers = as_coco(random_frames(7, 40, classes), classes)
    answers += [{**answers[0], "score": 0.001 * number} for number in range(150)]
    np.testing.assert_allclose(
        precision_array(truth, answers), reference(truth, answers, tmp_path), atol=1e-6
    )


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_mean_precision_with_all_weights_one_is_cocos(seed: int) -> None:
    frames = random_frames(seed)
    total = overall(coco_table(*as_coco(frames, CLASSES)))
    ap50, ap = mean_precision(frames, CLASSES, np.ones((1, len(frames))))
    if total.ap50 is None:
        assert np.isnan(ap50[0])
        return
    assert ap50[0] == pytest.approx(total.ap50, abs=1e-6)
    assert ap[0] == pytest.approx(total.ap, abs=1e-6)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_coco_table_agrees_with_the_figures_of_training(seed: int) -> None:
    frames = random_frames(seed)
    table, quality = coco_table(*as_coco(frames, CLASSES)), measure(frames, CLASSES)
    for name in CLASSES:
        assert (table[name]["all"].ap50 or 0.0) == pytest.approx(quality.per_class[name].ap50, abs=1e-9)
        assert table[name]["all"].truth == quality.per_class[name].truth


def test_mean_precision_doubled_frame_is_the_same_as_weight_two() -> None:
    frames = random_frames(3, 4)
    doubled = mean_precision([*frames, frames[0]], CLASSES, np.ones((1, 5)))
    weighted = mean_precision(frames, CLASSES, np.array([[2.0, 1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(doubled, weighted, atol=0.02)


def test_coco_table_without_answers_is_zero_where_there_are_objects() -> None:
    table = coco_table(*as_coco([answered([("a", HERE)], [])], ("a", "b")))
    assert (table["a"]["all"].ap50, table["b"]["all"].ap50) == (0.0, None)


def test_coco_table_by_size_counts_pixels_of_the_picture() -> None:
    # 400 x 200: 80 x 40 px is medium, 120 x 60 too; 0.05 x 0.05 is 20 x 10 and small
    frames = [answered([("a", HERE), ("a", THERE), ("a", (0.0, 0.0, 0.05, 0.05))], [("a", 0.9, HERE)])]
    sizes = coco_table(*as_coco(frames, ("a",)))["a"]
    assert [sizes[size].truth for size in ("all", "small", "medium", "large")] == [3, 1, 2, 0]
    assert sizes["small"].ap50 == 0.0
    assert sizes["large"].ap50 is None
