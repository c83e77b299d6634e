"""Changed lessons: the answer follows the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.jitter import STEP_PX, Jitter, draw, jittered
from compress.teacher import PAD_VALUE, Answer, LevelAnswer

HEIGHT_PX, WIDTH_PX = 4 * STEP_PX, 6 * STEP_PX
STRIDES_PX = (8, 32)
jitters = st.builds(Jitter, st.integers(-2, 2), st.integers(-2, 2), st.just(1.0), st.just(0.0), st.booleans())


def _answer(row: int, column: int, box_px: tuple[int, int, int, int]) -> Answer:
    """Return an answer that is warm in one cell of the coarse grid, and in those of the fine one in it."""
    levels = []
    for stride in STRIDES_PX:
        shape = HEIGHT_PX // stride, WIDTH_PX // stride
        heat, distances = np.zeros((*shape, 1), np.float16), np.zeros((*shape, 4), np.float16)
        down = slice(row * STEP_PX // stride, (row + 1) * STEP_PX // stride)
        across = slice(column * STEP_PX // stride, (column + 1) * STEP_PX // stride)
        heat[down, across] = 1.0
        ys, xs = np.mgrid[: shape[0], : shape[1]] * stride + stride / 2
        sides = xs - box_px[0], ys - box_px[1], box_px[2] - xs, box_px[3] - ys
        distances[down, across] = (np.stack(sides, axis=-1) / stride)[down, across]
        levels.append(LevelAnswer(heat, distances))
    return tuple(levels)


@given(jitters, st.integers(0, 3), st.integers(0, 5))
def test_jittered_picture_and_answer_move_together(jitter: Jitter, row: int, column: int) -> None:
    box_px = column * STEP_PX + 4, row * STEP_PX + 8, (column + 1) * STEP_PX - 2, (row + 1) * STEP_PX - 1
    pixels = np.full((HEIGHT_PX, WIDTH_PX, 3), PAD_VALUE, np.uint8)
    pixels[box_px[1] : box_px[3], box_px[0] : box_px[2]] = 255

    moved, answer = jittered(pixels, _answer(row, column, box_px), jitter)

    ys, xs = np.nonzero(moved[..., 0] == 255)
    for level, stride in zip(answer, STRIDES_PX, strict=True):
        rows, columns = np.nonzero(level.heat[..., 0])
        assert bool(len(rows)) == bool(len(ys))
        for y, x in zip(rows, columns, strict=True):
            left, top, right, bottom = level.distances[y, x].astype(float) * stride
            middle_x, middle_y = (x + 0.5) * stride, (y + 0.5) * stride
            found = middle_x - left, middle_y - top, middle_x + right, middle_y + bottom
            assert found == pytest.approx((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), abs=0.1)


def test_draw_with_the_same_seed_gives_the_same_and_with_time_all_kinds() -> None:
    drawn = [[draw(random) for _ in range(200)] for random in map(np.random.default_rng, (1, 1, 2))]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {one.right for one in drawn[0]} == {-2, -1, 0, 1, 2}
    assert {one.is_mirrored for one in drawn[0]} == {True, False}
    assert all(0.8 < one.contrast < 1.2 and abs(one.brightness) <= 15 for one in drawn[0])


def test_jittered_light_changes_pixels_and_no_answer() -> None:
    pixels = np.full((HEIGHT_PX, WIDTH_PX, 3), 200, np.uint8)
    before = _answer(1, 2, (70, 40, 90, 60))
    changed, after = jittered(pixels, before, Jitter(contrast=0.9, brightness=10.0))
    assert changed[0, 0, 0] == round((200 - PAD_VALUE) * 0.9 + PAD_VALUE + 10)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.heat, other.heat)
        assert np.array_equal(one.distances, other.distances)
