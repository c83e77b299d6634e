"""In which size a part of a frame is looked at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.offload.part import look_size
from edge_agent.wire.base import WHOLE


@pytest.mark.parametrize(
    ("input_px", "picture_px", "part", "size"),
    [
        ((640, 480), (320, 240), WHOLE, (640, 480)),
        ((640, 480), (320, 240), (0.25, 0.5, 0.75, 1.0), (320, 256)),
        ((640, 480), (640, 480), (0.25, 0.5, 0.75, 1.0), (320, 256)),
        ((320, 256), (320, 240), (0.0, 0.0, 0.5, 0.5), (160, 128)),
        ((640, 480), (320, 240), (0.1, 0.1, 0.9, 0.9), (512, 384)),
        # a tall part of a wide frame
        ((640, 384), (160, 320), (0.0, 0.0, 0.25, 0.9), (160, 320)),
        ((640, 480), (4, 4), (0.3, 0.3, 0.3, 0.3), (64, 64)),
        ((640, 480), (4000, 10), (0.0, 0.0, 1.0, 0.01), (640, 64)),
    ],
)
def test_part_is_looked_at_as_large_as_it_is_in_the_frame(
    input_px: tuple[int, int],
    picture_px: tuple[int, int],
    part: tuple[float, float, float, float],
    size: tuple[int, int],
) -> None:
    assert look_size(input_px, picture_px, part) == size


_SIDE = st.integers(1, 4000)
_FRACTION = st.floats(0.0, 1.0)


@settings(max_examples=100, deadline=None)
@given(st.tuples(_SIDE, _SIDE), st.tuples(*[_FRACTION] * 4))
def test_no_part_is_looked_at_larger_than_a_frame(
    picture_px: tuple[int, int], corners: tuple[float, float, float, float]
) -> None:
    (left, right), (top, bottom) = sorted(corners[:2]), sorted(corners[2:])
    width, height = look_size((640, 480), picture_px, (left, top, right, bottom))
    assert 64 <= width <= 640
    assert 64 <= height <= 480
    assert (width % 32, height % 32) == (0, 0)
