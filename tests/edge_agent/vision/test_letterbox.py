"""A picture into the input and boxes back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import CameraError
from edge_agent.vision.letterbox import letterbox

sides = st.integers(1, 300)
fraction = st.floats(0.0, 1.0, width=32)


@given(sides, sides, sides, sides, st.tuples(fraction, fraction, fraction, fraction))
def test_box_there_and_back_is_the_same(
    source_w: int, source_h: int, width: int, height: int, corners: tuple[float, float, float, float]
) -> None:
    boxed = letterbox(np.zeros((source_h, source_w, 3), np.uint8), width, height, 127)
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    box = np.array([[x1, y1, x2, y2]], np.float32)
    there = boxed.to_input_px(box)
    assert (there >= -1e-3).all()
    assert (there <= np.array([width, height] * 2) + 1e-3).all()
    np.testing.assert_allclose(boxed.to_source_norm(there), box, atol=1e-3)


@given(sides, sides, sides, sides)
def test_content_keeps_aspect_and_is_centred(source_w: int, source_h: int, width: int, height: int) -> None:
    boxed = letterbox(np.full((source_h, source_w, 3), 200, np.uint8), width, height, 7)
    assert boxed.pixels.shape == (height, width, 3)
    assert abs(boxed.content_width_px - source_w * boxed.scale) <= 1
    assert abs(boxed.content_height_px - source_h * boxed.scale) <= 1
    right_px = width - boxed.left_px - boxed.content_width_px
    bottom_px = height - boxed.top_px - boxed.content_height_px
    assert 0 <= right_px - boxed.left_px <= 1
    assert 0 <= bottom_px - boxed.top_px <= 1
    content = (slice(boxed.top_px, height - bottom_px), slice(boxed.left_px, width - right_px))
    assert (boxed.pixels[content] == 200).all()
    assert int((boxed.pixels == 7).sum()) == 3 * (
        width * height - boxed.content_width_px * boxed.content_height_px
    )


def test_boxes_in_the_padding_are_cut_to_the_picture() -> None:
    boxed = letterbox(np.zeros((50, 100, 3), np.uint8), 100, 100, 127)
    mapped = boxed.to_source_norm(np.array([[-5, 0, 120, 20], [0, 25, 100, 75]], np.float32))
    np.testing.assert_allclose(mapped, [[0, 0, 1, 0], [0, 0, 1, 1]])


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_picture_of_another_form_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(CameraError, match="expected a picture"):
        letterbox(picture, 32, 32, 127)
