"""Pictures made worse: the same every time, boxes go where their objects go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.evaluation.robustness import CONDITIONS, Condition
from edge_agent.vision.arrays import Rgb

PICTURE_PX = (160, 120)


def scene(box: tuple[int, int, int, int] = (60, 40, 100, 80)) -> tuple[LabelledFrame, Rgb]:
    pixels = np.full((120, 160, 3), 40, np.uint8)
    x1, y1, x2, y2 = box
    pixels[y1:y2, x1:x2] = 240
    place = (x1 / 160, y1 / 120, x2 / 160, y2 / 120)
    return LabelledFrame(PictureSource(Path("a.png")), 160, 120, (LabelledBox("lamp", place),)), pixels


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: str(condition.name))
def test_condition_changes_the_picture_the_same_every_time(condition: Condition) -> None:
    frame, rgb = scene()
    before = rgb.copy()
    first, second = (condition.change(frame, rgb, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])
    assert first[0] == second[0]
    assert first[1].shape == rgb.shape
    assert str(first[1].dtype) == "uint8"
    assert not np.array_equal(first[1], rgb)
    np.testing.assert_array_equal(rgb, before)


@pytest.mark.parametrize("name", ["shifted", "turned", "nearer", "farther"])
def test_moved_camera_box_stays_on_its_object(name: str) -> None:
    condition = next(one for one in CONDITIONS if one.name == name)
    for seed in range(4):
        frame, rgb = condition.change(*scene(), seed=seed)
        rows, columns = np.nonzero(rgb.min(2) > 200)
        center = (columns.mean() / 160, rows.mean() / 120)
        x1, y1, x2, y2 = frame.boxes[0].box_xyxy_norm
        assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx(center, abs=0.02)
        assert (x2 - x1) * 160 == pytest.approx(np.ptp(columns), abs=8)


def test_moved_camera_object_that_left_the_picture_is_no_truth() -> None:
    nearer = next(one for one in CONDITIONS if one.name == "nearer")
    assert nearer.change(*scene((0, 0, 10, 10)))[0].boxes == ()


def test_conditions_darker_is_darker() -> None:
    dusk = next(one for one in CONDITIONS if one.name == "dusk")
    frame, rgb = scene()
    assert dusk.change(frame, rgb)[1].mean() < 0.5 * rgb.mean()
