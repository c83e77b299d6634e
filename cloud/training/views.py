"""Views: differently cut, scaled, mirrored and coloured copies of a picture, with their boxes.

A view is plain numbers, so it can name a cache entry and be drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from edge_agent.vision.arrays import Float32, Rgb

PAD_VALUE = 127

_NEAR_SCALES = (0.75, 1.4)
_FAR_SCALES = (0.4, 0.75)
_FAR_SHARE = 1 / 3


@dataclass(frozen=True)
class View:
    """How a picture becomes a network input of `width_px` x `height_px`.

    The picture, mirrored if asked, is stretched to `content_width_px` x `content_height_px` and lies with its
    left top corner at (`left_px`, `top_px`), which may be outside. Colours: value -> (value - 127) *
    `contrast` + 127 + `brightness` + `tint` of its channel.
    """

    width_px: int
    height_px: int
    content_width_px: int
    content_height_px: int
    left_px: int
    top_px: int
    mirrored: bool = False
    contrast: float = 1.0
    brightness: float = 0.0
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def boxes_px(self, boxes_norm: Float32) -> Float32:
        """Map boxes `(n, 4)` xyxy from fractions of the picture to pixels of the input; may lie outside."""
        x1, y1, x2, y2 = boxes_norm.T
        if self.mirrored:
            x1, x2 = 1 - x2, 1 - x1
        size = np.array([self.content_width_px, self.content_height_px] * 2)
        offset = np.array([self.left_px, self.top_px] * 2)
        return np.asarray(np.stack([x1, y1, x2, y2], axis=1) * size + offset, np.float32)

    def boxes_norm(self, boxes_px: Float32) -> Float32:
        """Map boxes `(n, 4)` xyxy of a view that is not mirrored back to fractions, cut at the edges."""
        size = np.array([self.content_width_px, self.content_height_px] * 2)
        offset = np.array([self.left_px, self.top_px] * 2)
        return np.asarray(np.clip((boxes_px - offset) / size, 0.0, 1.0), np.float32)


def plain_view(width_px: int, height_px: int, picture_px: tuple[int, int]) -> View:
    """Return the view that inference has: letterboxed, as `edge_agent.vision.letterbox` does it."""
    scale = min(width_px / picture_px[0], height_px / picture_px[1])
    content = min(width_px, round(picture_px[0] * scale)), min(height_px, round(picture_px[1] * scale))
    left, top = (width_px - content[0]) // 2, (height_px - content[1]) // 2
    return View(width_px, height_px, max(1, content[0]), max(1, content[1]), left, top)


def random_view(plain: View, random: np.random.Generator) -> View:
    """Return another view than the plain one: nearer or farther, elsewhere, perhaps mirrored, in other light.

    One in three is taken from farther away, so that things are found where nobody labelled one that small.
    """
    smallest, largest = _FAR_SCALES if random.random() < _FAR_SHARE else _NEAR_SCALES
    scale = float(np.exp(random.uniform(np.log(smallest), np.log(largest))))
    stretch = float(np.exp(random.uniform(-0.1, 0.1)))
    width = max(1, round(plain.content_width_px * scale * stretch))
    height = max(1, round(plain.content_height_px * scale / stretch))
    return View(
        plain.width_px,
        plain.height_px,
        width,
        height,
        _offset(plain.width_px, width, random),
        _offset(plain.height_px, height, random),
        mirrored=bool(random.random() < 0.5),
        contrast=float(random.uniform(0.75, 1.3)),
        brightness=float(random.uniform(-25, 25)),
        tint=(float(random.uniform(-8, 8)), float(random.uniform(-8, 8)), float(random.uniform(-8, 8))),
    )


@dataclass(frozen=True)
class Tile:
    """A view that fills part of a network input, from (`left_px`, `top_px`) on."""

    view: View
    left_px: int = 0
    top_px: int = 0


def tile_sizes(length_px: int, count: int) -> list[int]:
    """Return `count` lengths, multiples of 32, that together make `length_px`, a multiple of 32."""
    borders = [round(i * length_px / 32 / count) * 32 for i in range(count + 1)]
    return [after - before for before, after in pairwise(borders)]


def random_tiles(plain: View, boxes_norm: Float32, grid: int, random: np.random.Generator) -> list[Tile]:
    """Return what a network input is put together from: `grid` x `grid` random views of one picture.

    All but one look at an object, as far as there are any. So one look at the input shows many objects, each
    in another size and light, for the price of one.

    Args:
        plain: The view that inference has.
        boxes_norm: `(n, 4)` xyxy, of the objects.
        grid: Tiles a side; 1 = one view that may lie anywhere.
        random: Where from all the rest is drawn.
    """
    if grid == 1:
        return [Tile(random_view(plain, random))]
    widths, heights = tile_sizes(plain.width_px, grid), tile_sizes(plain.height_px, grid)
    objects = random.permutation(boxes_norm)[: grid * grid - 1] if len(boxes_norm) else boxes_norm
    points = [*((objects[:, :2] + objects[:, 2:]) / 2), *random.random((grid * grid, 2))]
    return [
        Tile(
            _view_of(points[row * grid + column], plain, (widths[column], heights[row]), random),
            sum(widths[:column]),
            sum(heights[:row]),
        )
        for row in range(grid)
        for column in range(grid)
    ]


def _view_of(point_norm: Float32, plain: View, size_px: tuple[int, int], random: np.random.Generator) -> View:
    """Return a random view of `size_px` that shows a point of the picture in its inner half."""
    view = random_view(plain, random)
    content = view.content_width_px, view.content_height_px
    point_x = 1 - point_norm[0] if view.mirrored else point_norm[0]
    offsets = []
    for point, length, frame in zip((point_x, point_norm[1]), content, size_px, strict=True):
        wanted = frame * random.uniform(0.25, 0.75) - point * length
        low, high = sorted((0, frame - length))
        offsets.append(int(np.clip(round(wanted), low, high)))
    return replace(view, width_px=size_px[0], height_px=size_px[1], left_px=offsets[0], top_px=offsets[1])


def draw_tiles(tiles: Sequence[Tile], rgb: Rgb, size_px: tuple[int, int]) -> Rgb:
    """Return the network input that the tiles make, `(height, width, 3) uint8`."""
    pixels = np.full((size_px[1], size_px[0], 3), PAD_VALUE, np.uint8)
    for tile in tiles:
        part = draw_view(tile.view, rgb)
        pixels[tile.top_px : tile.top_px + part.shape[0], tile.left_px : tile.left_px + part.shape[1]] = part
    return pixels


def _offset(frame_px: int, content_px: int, random: np.random.Generator) -> int:
    """Return where the content begins so that it either fills the frame or lies wholly inside."""
    low, high = sorted((0, frame_px - content_px))
    return int(random.integers(low, high + 1))


def draw_view(view: View, rgb: Rgb) -> Rgb:
    """Return the view of a picture, `(height_px, width_px, 3) uint8`."""
    import cv2

    size = (view.content_width_px, view.content_height_px)
    shrinks = size[0] * size[1] < rgb.shape[0] * rgb.shape[1]
    content = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if view.mirrored:
        content = content[:, ::-1]
    if view.contrast != 1.0 or view.brightness or any(view.tint):
        content = np.stack([_table(view, channel)[content[..., channel]] for channel in range(3)], axis=-1)
    pixels = np.full((view.height_px, view.width_px, 3), PAD_VALUE, np.uint8)
    top, left = max(0, view.top_px), max(0, view.left_px)
    inside = content[top - view.top_px :, left - view.left_px :][
        : view.height_px - top, : view.width_px - left
    ]
    pixels[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return pixels


def _table(view: View, channel: int) -> Rgb:
    values = (np.arange(256) - 127) * view.contrast + 127 + view.brightness + view.tint[channel]
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
