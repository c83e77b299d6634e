"""What people see of an example is what the embedding network sees, less the grey."""

from __future__ import annotations

import numpy as np
import pytest

from cloud.attributes.crops import CROP_PX, PAD_VALUE, shown_crop, square_crop
from edge_agent.wire.base import XyxyNorm


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        ((0.25, 0.25, 0.75, 0.75), (64, 128)),
        ((0.4, 0.1, 0.5, 0.9), (128, 32)),
        ((0.0, 0.0, 1.0, 1.0), (64, 128)),
        ((0.5, 0.5, 0.5, 0.5), (128, 128)),
    ],
)
def test_shown_crop_is_the_square_one_without_its_padding(box: XyxyNorm, shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(1).integers(0, 100, (200, 400, 3), dtype=np.uint8)
    shown, square = shown_crop(rgb, box), square_crop(rgb, box)
    assert shown.shape[:2] == pytest.approx(shape, abs=3)
    assert square.shape == (CROP_PX, CROP_PX, 3)
    inside = square[(square != PAD_VALUE).any(axis=2)]
    assert np.array_equal(inside.reshape(-1, 3), shown.reshape(-1, 3))


def test_crop_shows_a_little_around_the_box() -> None:
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[40:60, 40:60] = 250
    shown = shown_crop(rgb, (0.4, 0.4, 0.6, 0.6))
    assert shown[0].max() == 0
    assert shown[64, 64].min() == 250
    assert 0.5 < (shown[..., 0] > 125).mean() < 0.7
