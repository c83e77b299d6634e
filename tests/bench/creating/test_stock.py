"""Looking at a picture in tiles."""

from __future__ import annotations

import numpy as np
import pytest

from bench.creating.stock import in_tiles
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.detection import Detection


def white_spot(rgb: Rgb) -> list[Detection]:
    """Find the white pixels, surer in a smaller picture; stands for a detector."""
    rows, columns = np.nonzero(rgb[..., 0] == 255)
    if not len(rows):
        return []
    height, width = rgb.shape[:2]
    box = (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    return [Detection(label="spot", score=0.9 if width < 100 else 0.5, box=box)]


@pytest.mark.parametrize(("x", "y"), [(5, 5), (48, 30), (90, 70)])
def test_in_tiles_one_object_comes_once_at_its_place_from_the_surest_look(x: int, y: int) -> None:
    rgb = np.zeros((80, 100, 3), np.uint8)
    rgb[y : y + 8, x : x + 8] = 255
    (found,) = in_tiles(rgb, white_spot)
    assert found.score == pytest.approx(0.9)
    assert found.box == pytest.approx((x / 100, y / 80, (x + 8) / 100, (y + 8) / 80), abs=0.011)


def test_in_tiles_nothing_there_gives_nothing() -> None:
    assert in_tiles(np.zeros((80, 100, 3), np.uint8), white_spot) == []
