"""How things look, as numbers that say whether two boxes show the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.vision.describe import describe_on_map, describe_on_picture

RNG = np.random.default_rng(5)
MAP = RNG.random((12, 16, 3)).astype(np.float32)
PICTURE = RNG.integers(0, 256, (48, 64, 3)).astype(np.uint8)
CORNER = st.floats(0.0, 1.0, width=32)


def test_map_box_of_the_whole_gives_the_means_of_its_quarters() -> None:
    features = np.zeros((16, 16, 1), np.float32)
    features[:8, 8:] = 1.0
    features[8:, :8] = 2.0
    described = describe_on_map(features, np.array([[0, 0, 1, 1]], np.float32))
    np.testing.assert_allclose(described[0], np.array([0, 1, 2, 0]) / np.sqrt(5), atol=1e-6)


@given(x1=CORNER, y1=CORNER, x2=CORNER, y2=CORNER)
def test_description_of_any_box_has_length_one(x1: float, y1: float, x2: float, y2: float) -> None:
    box = np.array([[min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]], np.float32)
    assert np.linalg.norm(describe_on_map(MAP, box)) == pytest.approx(1.0, abs=1e-5)
    assert (
        np.linalg.norm(describe_on_picture(PICTURE, box)) == pytest.approx(1.0, abs=1e-5)
        or (describe_on_picture(PICTURE, box) == 0).all()
    )


def test_picture_darker_and_with_less_contrast_is_described_alike() -> None:
    box = np.array([[0.1, 0.1, 0.8, 0.9]], np.float32)
    darker = (PICTURE * 0.5 + 20).astype(np.uint8)
    assert describe_on_picture(PICTURE, box)[0] @ describe_on_picture(darker, box)[0] > 0.99


def test_no_boxes_give_no_descriptions() -> None:
    none = np.zeros((0, 4), np.float32)
    assert describe_on_map(MAP, none).shape == (0, 12)
    assert len(describe_on_picture(PICTURE, none)) == 0
