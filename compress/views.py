"""Views: pictures as the camera could have taken them, put together from those that it took.

The full detector answers for each of them, so nothing has to be known of what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from compress.protocol import Rgb

Points = npt.NDArray[np.float64]

PAD_VALUE = 127

_SCALES = 0.75, 1.4
_STRETCH = 0.1
_CONTRASTS = 0.75, 1.3
_BRIGHTNESS = 25.0
_TINT = 8.0
_AT_A_POINT = 0.8


def view_size(picture: Rgb, input_size_px: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) of what a letterboxed picture `(h, w, 3)` fills of the network's input."""
    height, width = picture.shape[:2]
    scale = min(input_size_px[0] / width, input_size_px[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def plain(picture: Rgb, size_px: tuple[int, int]) -> Rgb:
    """Return the whole picture at a size, `(h, w, 3) uint8`."""
    import cv2

    is_smaller = size_px[0] < picture.shape[1]
    interpolation = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size_px, interpolation=interpolation), np.uint8)


def mosaic(
    pictures: Sequence[tuple[Rgb, Points]], size_px: tuple[int, int], grid: int, random: np.random.Generator
) -> Rgb:
    """Return a picture of `grid` x `grid` random cuts, each another size, place and light.

    Args:
        pictures: Where the cuts come from, in turn: `(h, w, 3)` and points `(n, 2)` worth looking at, as
            fractions of its width and height.
        size_px: (width, height) of the result.
        grid: Cuts a side.
        random: Where from all the rest is drawn.
    """
    width_px, height_px = size_px
    result = np.full((height_px, width_px, 3), PAD_VALUE, np.uint8)
    across = [round(i * width_px / grid) for i in range(grid + 1)]
    down = [round(i * height_px / grid) for i in range(grid + 1)]
    for number in range(grid * grid):
        row, column = divmod(number, grid)
        picture, points = pictures[number % len(pictures)]
        place = np.s_[down[row] : down[row + 1], across[column] : across[column + 1]]
        cut_px = across[column + 1] - across[column], down[row + 1] - down[row]
        result[place] = _cut(picture, points, size_px, cut_px, random)
    return result


def _cut(
    picture: Rgb,
    points: Points,
    size_px: tuple[int, int],
    cut_px: tuple[int, int],
    random: np.random.Generator,
) -> Rgb:
    """Return a cut of `cut_px` of a picture that would fill `size_px`, around a point or anywhere."""
    import cv2

    scale = np.exp(random.uniform(*np.log(_SCALES)))
    stretch = np.exp(random.uniform(-_STRETCH, _STRETCH))
    content = size_px[0] * scale * stretch, size_px[1] * scale / stretch
    point = (
        points[random.integers(len(points))] if len(points) and random.random() < 0.8 else random.random(2)
    )
    is_mirrored = random.random() < 0.5
    # From pixels of the picture to pixels of the cut: the point comes to lie in the cut's inner half.
    matrix = np.zeros((2, 3))
    for axis in range(2):
        zoom = content[axis] / picture.shape[1 - axis]
        start = cut_px[axis] * random.uniform(0.25, 0.75) - point[axis] * content[axis]
        low, high = sorted((0.0, cut_px[axis] - content[axis]))
        matrix[axis, axis], matrix[axis, 2] = zoom, np.clip(start, low, high)
    if is_mirrored:
        matrix[0] *= -1
        matrix[0, 2] += cut_px[0] - 1
    grey = (PAD_VALUE, PAD_VALUE, PAD_VALUE)
    smaller = matrix[1, 1] < 0.75
    source = cv2.GaussianBlur(picture, (3, 3), 0) if smaller else picture
    cut = cv2.warpAffine(source, matrix, cut_px, flags=cv2.INTER_LINEAR, borderValue=grey)
    return _lit(np.asarray(cut, np.uint8), random)


def _lit(picture: Rgb, random: np.random.Generator) -> Rgb:
    """Return a picture in another light: value -> (value - 127) * contrast + 127 + brightness + tint."""
    contrast, brightness = random.uniform(*_CONTRASTS), random.uniform(-_BRIGHTNESS, _BRIGHTNESS)
    levels = (np.arange(256)[:, None] - 127) * contrast + 127 + brightness
    tables = np.clip(np.round(levels + random.uniform(-_TINT, _TINT, 3)), 0, 255).astype(np.uint8)
    return np.stack([tables[:, channel][picture[..., channel]] for channel in range(3)], axis=-1)
