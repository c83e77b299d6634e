"""Views, targets and windows: what the head is taught lies where the object is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.subnets.registry import subnet_by_name
from cloud.training.cache import NoCache
from cloud.training.samples import SamplePlan, frame_samples
from cloud.training.targets import STRIDE_PX, build_targets
from cloud.training.views import draw_tiles, draw_view, plain_view, random_tiles, random_view, tile_sizes
from cloud.training.windows import ALIGN_CELLS, all_windows, choose_windows, inner_cells, window_size
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.vision.letterbox import letterbox

SIZE_PX = (160, 128)
sizes_px = st.tuples(st.integers(4, 16), st.integers(4, 16)).map(lambda cells: (cells[0] * 32, cells[1] * 32))


@pytest.mark.parametrize("picture_px", [(160, 128), (320, 256), (100, 200), (77, 31), (640, 100)])
def test_plain_view_is_what_inference_sees(picture_px: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (picture_px[1], picture_px[0], 3), dtype=np.uint8)
    boxed = letterbox(rgb, *SIZE_PX, 127)
    view = plain_view(*SIZE_PX, picture_px)
    assert np.array_equal(draw_view(view, rgb), boxed.pixels)
    box = np.array([[0.2, 0.3, 0.6, 0.9]], np.float32)
    assert np.allclose(view.boxes_px(box), boxed.to_input_px(box), atol=1e-3)
    assert np.allclose(view.boxes_norm(view.boxes_px(box)), box, atol=1e-5)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_random_view_carries_boxes_along(seed: int) -> None:
    """A bright block stays inside of its mapped box, whatever the view does."""
    rgb = np.full((96, 120, 3), 20, np.uint8)
    rgb[40:60, 30:60] = 250
    view = random_view(plain_view(*SIZE_PX, (120, 96)), np.random.default_rng(seed))
    x1, y1, x2, y2 = view.boxes_px(np.array([[30 / 120, 40 / 96, 60 / 120, 60 / 96]], np.float32))[0]
    # The padding is 127; the block is by far the brightest thing.
    drawn = draw_view(view, rgb).astype(int).sum(2)
    rows, columns = np.nonzero(drawn > (drawn.min() + 3 * 250) / 2 + 60)
    if len(rows):
        assert rows.min() >= y1 - 2
        assert rows.max() <= y2 + 2
        assert columns.min() >= x1 - 2
        assert columns.max() <= x2 + 2


def test_random_view_about_one_in_three_is_from_farther_than_any_other() -> None:
    plain = plain_view(640, 480, (640, 480))
    views = [random_view(plain, np.random.default_rng(seed)) for seed in range(600)]
    scales = [math.sqrt(view.content_width_px * view.content_height_px / (640 * 480)) for view in views]
    far = sum(scale < 0.75 for scale in scales)
    assert 150 < far < 250
    assert min(scales) >= 0.39
    assert max(scales) <= 1.41


boxes = st.tuples(st.floats(0, 120), st.floats(0, 90), st.floats(6, 80), st.floats(6, 80)).map(
    lambda box: [box[0], box[1], min(160.0, box[0] + box[2]), min(128.0, box[1] + box[3])]
)


@given(boxes)
def test_build_targets_centre_cell_says_the_box(box: list[float]) -> None:
    targets = build_targets(np.array([box], np.float32), np.array([1]), 3, SIZE_PX)
    rows, columns, labels = np.nonzero(targets.heat == 1.0)
    assert (len(rows), labels.tolist()) == (1, [1])
    row, column = rows[0], columns[0]
    assert targets.box_weight[row, column, 0] == targets.box_weight.max()
    assert targets.box_weight.sum() == pytest.approx(1.0)
    left, top, right, bottom = targets.distances[row, column]
    decoded = np.array([column + 0.5 - left, row + 0.5 - top, column + 0.5 + right, row + 0.5 + bottom])
    # Off by less than half a cell where the box is smaller than one.
    assert np.abs(decoded * STRIDE_PX - np.array(box)).max() <= STRIDE_PX / 2 + 0.01
    if min(box[2] - box[0], box[3] - box[1]) > STRIDE_PX:
        assert np.allclose(decoded * STRIDE_PX, box, atol=0.01)


def test_build_targets_mostly_hidden_box_is_neither_object_nor_background() -> None:
    targets = build_targets(np.array([[-60, 32, 20, 64]], np.float32), np.array([0]), 1, SIZE_PX)
    assert targets.heat.max() == 0
    assert (targets.trusted[4:8, :2] == 0).all()
    assert targets.trusted.sum() < targets.trusted.size


def test_build_targets_small_thing_in_front_keeps_its_box() -> None:
    both = np.array([[60, 40, 84, 64], [0, 0, 144, 104]], np.float32)
    targets = build_targets(both, np.array([0, 0]), 1, SIZE_PX)
    assert targets.distances[6, 9].tolist() == pytest.approx([2.0, 1.5, 1.0, 1.5])


def test_build_targets_outside_of_trusted_regions_nothing_is_known() -> None:
    trusted = np.array([[0, 0, 80, 128]], np.float32)
    targets = build_targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 1, SIZE_PX, trusted)
    assert (targets.trusted[:, :10] == 1).all()
    assert (targets.trusted[:, 10:] == 0).all()


@given(sizes_px)
def test_all_windows_cover_every_cell_and_stay_inside(size_px: tuple[int, int]) -> None:
    rows, columns = window_size(size_px)
    cells = np.zeros((size_px[1] // STRIDE_PX, size_px[0] // STRIDE_PX), bool)
    for row, column in all_windows(size_px):
        assert row % ALIGN_CELLS == column % ALIGN_CELLS == 0
        assert cells[row : row + rows, column : column + columns].shape == (rows, columns)
        cells[row : row + rows, column : column + columns] = True
    assert cells.all()


@given(sizes_px, st.integers(0, 1000), st.integers(0, 6))
def test_choose_windows_are_aligned_inside_and_different(
    size_px: tuple[int, int], seed: int, count: int
) -> None:
    random = np.random.default_rng(seed)
    corners = random.random((count, 2)) * np.array(size_px) * 0.8
    objects = np.concatenate([corners, corners + 20], axis=1).astype(np.float32)
    rows, columns = window_size(size_px)
    chosen = choose_windows(objects, size_px, 4, random)
    assert 1 <= len(chosen) == len(set(chosen)) <= 4
    for row, column in chosen:
        assert row % ALIGN_CELLS == column % ALIGN_CELLS == 0
        assert 0 <= row <= size_px[1] // STRIDE_PX - rows
        assert 0 <= column <= size_px[0] // STRIDE_PX - columns


def test_choose_windows_show_the_object() -> None:
    objects = np.array([[400, 300, 420, 340]], np.float32)
    for seed in range(50):
        (row, column), *_ = choose_windows(objects, (512, 384), 2, np.random.default_rng(seed))
        assert row < 320 / STRIDE_PX < row + 16
        assert column < 410 / STRIDE_PX < column + 16


def test_inner_cells_rim_counts_only_at_the_edge_of_the_picture() -> None:
    size_px = (512, 384)
    inner = inner_cells((0, 16), size_px, (16, 16), is_part=False)[..., 0]
    assert inner[0, 5] == 1
    assert inner[-1, 5] == inner[5, 0] == inner[5, -1] == 0
    assert inner_cells((32, 48), size_px, (16, 16), is_part=False)[-1, -1, 0] == 1


def test_inner_cells_edges_of_a_tile_are_rim() -> None:
    inner = inner_cells((0, 0), (128, 128), (16, 16), is_part=True)[..., 0]
    assert inner[1:-1, 1:-1].all()
    assert inner.sum() == 14 * 14


@given(st.integers(2, 40), st.integers(1, 4))
def test_tile_sizes_are_whole_cells_and_fill_the_input(cells: int, count: int) -> None:
    sizes = tile_sizes(cells * 32, count)
    assert (len(sizes), sum(sizes)) == (count, cells * 32)
    assert all(size % 32 == 0 for size in sizes)
    assert max(sizes) - min(sizes) <= 32


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_random_tiles_show_objects_where_their_boxes_are(seed: int) -> None:
    """A bright block on the left, a dark one on the right: each lies in its box in all tiles."""
    rgb = np.full((96, 128, 3), 110, np.uint8)
    rgb[40:56, 20:36] = 255
    boxes = np.array([[20 / 128, 40 / 96, 36 / 128, 56 / 96]], np.float32)
    plain = plain_view(256, 192, (128, 96))
    tiles = random_tiles(plain, boxes, 2, np.random.default_rng(seed))
    drawn = draw_tiles(tiles, rgb, (256, 192))
    assert sum(tile.view.width_px * tile.view.height_px for tile in tiles) == 256 * 192
    first = tiles[0].view.boxes_px(boxes)[0]
    middle = (first[:2] + first[2:]) / 2
    assert (middle >= 0).all(), "the first tile looks at the object"
    assert middle[0] < tiles[0].view.width_px
    assert middle[1] < tiles[0].view.height_px
    assert drawn[int(middle[1]), int(middle[0])].sum() > 3 * 150


def test_frame_samples_of_tiles_have_targets_where_features_are() -> None:
    """The stand-in for a subnet answers brightness, so features and targets can be compared."""
    rgb = np.full((192, 256, 3), 60, np.uint8)
    rgb[80:104, 120:144] = 255
    box = LabelledBox("block", (120 / 256, 80 / 192, 144 / 256, 104 / 192))
    frame = LabelledFrame(PictureSource(Path("a.png")), 256, 192, (box,))
    plan = SamplePlan((512, 384), ("block",), views=6, grid=2, windows_per_tile=2, seed=0)
    samples = frame_samples(frame, rgb, plan, [Brightness()], NoCache(), lambda _: False)
    windows = samples.windows[len(all_windows(plan.size_px)) :]
    assert len(windows) == 6 * 4 * 2
    found = 0
    for window in windows:
        fine, certain = window.levels[0][..., 0], window.targets.trusted[..., 0] > 0
        centre = (window.targets.heat[..., 0] == 1.0) & certain
        found += int(centre.sum())
        assert (fine[centre] > fine.min() + 20).all(), "bright where the object is"
    assert found > 10


class Brightness:
    """Answers the mean brightness of each cell at every stride."""

    subnet = subnet_by_name("efficientnet_lite0")

    def features(self, pixels: Rgb) -> tuple[Float32, ...]:
        n, height, width, _ = pixels.shape
        return tuple(
            pixels.reshape(n, height // stride, stride, width // stride, stride * 3).mean(
                (2, 4), dtype=np.float32
            )[..., None]
            for stride in (8, 16, 32)
        )


def test_frame_samples_of_a_false_alarm_look_at_the_place() -> None:
    """Only a small region is known, and there is nothing in it: most random windows show it all the same."""
    rgb = np.zeros((192, 256, 3), np.uint8)
    region = (0.1, 0.1, 0.2, 0.25)
    frame = LabelledFrame(PictureSource(Path("a.png")), 256, 192, (), (region,))
    plan = SamplePlan((512, 384), ("block",), views=4, grid=2, windows_per_tile=2, seed=0)
    samples = frame_samples(frame, rgb, plan, [Brightness()], NoCache(), lambda _: False)
    known = [bool(window.targets.trusted.any()) for window in samples.windows[12:]]
    assert sum(known) >= 4, "each input has a tile that shows it"
