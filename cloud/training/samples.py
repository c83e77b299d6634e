"""Labelled frames into what the head learns from: windows of frozen features with their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from cloud.datasets.frames import LabelledFrame
from cloud.subnets.features import FeatureExtractor
from cloud.training.cache import FeatureCache, Half, cache_key, picture_digest
from cloud.training.targets import STRIDE_PX, Targets, build_targets, clip_boxes
from cloud.training.views import Tile, View, draw_tiles, plain_view, random_tiles
from cloud.training.windows import Corner, all_windows, choose_windows, inner_cells, window_size
from edge_agent.vision.arrays import Float32, Int64, Rgb


@dataclass(frozen=True)
class Labels:
    """Labels as arrays: `boxes_norm (n, 4)`, `classes (n,)`, `trusted_norm (m, 4)` or none = everywhere."""

    boxes_norm: Float32
    classes: Int64
    trusted_norm: Float32 | None

    @property
    def worth_seeing_norm(self) -> Float32:
        """Return what random views look at `(n, 4)`: objects, and regions of which something is known.

        A false alarm that a person took back is such a region without any object.
        """
        if self.trusted_norm is None:
            return self.boxes_norm
        return np.concatenate([self.boxes_norm, self.trusted_norm])


@dataclass(frozen=True)
class Window:
    """Part of a view: features a level `(rows, columns, channels) float16`, and their targets."""

    levels: tuple[Half, ...]
    targets: Targets


@dataclass(frozen=True)
class FrameSamples:
    """All of one frame: its windows, and the map of the plain view `(1, h, w, channels) float16`."""

    frame: LabelledFrame
    windows: tuple[Window, ...]
    plain: View
    plain_levels: tuple[Half, ...]
    views: int

    def without_windows(self) -> FrameSamples:
        """Return the same without what is only learned from, to free its memory."""
        return replace(self, windows=())

    def without_levels(self) -> FrameSamples:
        """Return the same with the targets of its windows but without their features, the bulk of it."""
        return replace(self, windows=tuple(replace(window, levels=()) for window in self.windows))

    @property
    def has_levels(self) -> bool:
        """Return whether the features of its windows are there."""
        return all(window.levels for window in self.windows)


@dataclass(frozen=True)
class SamplePlan:
    """How many random inputs of each frame, of `grid` x `grid` tiles, at which size, for which classes."""

    size_px: tuple[int, int]
    classes: tuple[str, ...]
    views: int
    grid: int
    windows_per_tile: int
    seed: int


def labels_of(frame: LabelledFrame, classes: Sequence[str]) -> Labels:
    """Return the labels of a frame as arrays; boxes of other classes are left out."""
    boxes = [box for box in frame.boxes if box.label in classes]
    trusted = frame.trusted_xyxy_norm
    return Labels(
        np.array([box.box_xyxy_norm for box in boxes], np.float32).reshape(-1, 4),
        np.array([classes.index(box.label) for box in boxes], np.int64),
        None if trusted is None else np.array(trusted, np.float32).reshape(-1, 4),
    )


def frame_samples(
    frame: LabelledFrame,
    rgb: Rgb,
    plan: SamplePlan,
    extractors: Sequence[FeatureExtractor],
    cache: FeatureCache,
    enough: Callable[[int], bool],
) -> FrameSamples:
    """Look at the plain view of a frame and at random ones, until `enough` says so of their number.

    The random views of a picture depend on its pixels and the seed alone, so other frames never change them,
    and the cache holds.
    """
    labels, digest = labels_of(frame, plan.classes), picture_digest(rgb)
    plain = plain_view(*plan.size_px, (rgb.shape[1], rgb.shape[0]))
    look = partial(_features, rgb=rgb, digest=digest, plan=plan, extractors=extractors, cache=cache)
    whole = look((Tile(plain),), None)
    corners = all_windows(plan.size_px)
    windows = _with_targets(Tile(plain), corners, labels, plan, _cut(whole, corners, plan.size_px))
    views = 1
    for number in range(plan.views):
        if enough(views):
            break
        views += 1
        windows += _random_windows(plain, labels, plan, [plan.seed, number, int(digest[:16], 16)], look)
    return FrameSamples(frame, tuple(windows), plain, whole, views)


def _random_windows(
    plain: View,
    labels: Labels,
    plan: SamplePlan,
    seed: list[int],
    look: Callable[[tuple[Tile, ...], list[Corner]], tuple[Half, ...]],
) -> list[Window]:
    """Return windows of one random network input."""
    random = np.random.default_rng(seed)
    tiles = tuple(random_tiles(plain, labels.worth_seeing_norm, plan.grid, random))
    chosen = [_choose(tile, labels, plan, random) for tile in tiles]
    # Windows are cut from the whole input; targets are made for each tile alone.
    levels = look(
        tiles,
        [
            (row + tile.top_px // STRIDE_PX, column + tile.left_px // STRIDE_PX)
            for tile, corners in zip(tiles, chosen, strict=True)
            for row, column in corners
        ],
    )
    cut = iter([tuple(level[i] for level in levels) for i in range(sum(map(len, chosen)))])
    return [
        window
        for tile, corners in zip(tiles, chosen, strict=True)
        for window in _with_targets(tile, corners, labels, plan, [next(cut) for _ in corners])
    ]


def _choose(tile: Tile, labels: Labels, plan: SamplePlan, random: np.random.Generator) -> list[Corner]:
    """Return the windows of one tile."""
    size_px = (tile.view.width_px, tile.view.height_px)
    inside = clip_boxes(tile.view.boxes_px(labels.worth_seeing_norm), size_px)
    return choose_windows(inside, size_px, plan.windows_per_tile, random, window_size(plan.size_px))


def _features(
    tiles: tuple[Tile, ...],
    windows: list[Corner] | None,
    *,
    rgb: Rgb,
    digest: str,
    plan: SamplePlan,
    extractors: Sequence[FeatureExtractor],
    cache: FeatureCache,
) -> tuple[Half, ...]:
    """Return all subnets' features: of the input `(1, h, w, c)`, or of windows `(n, rows, columns, c)`."""
    levels: list[Half] = []
    pixels: Rgb | None = None
    for extractor in extractors:
        key = cache_key(digest, tiles, windows, extractor.subnet.sha256)
        kept = cache.get(key)
        if kept is None:
            pixels = draw_tiles(tiles, rgb, plan.size_px)[None] if pixels is None else pixels
            kept = _look(extractor, pixels, windows)
            cache.put(key, kept)
        levels += kept
    return tuple(levels)


def _look(extractor: FeatureExtractor, pixels: Rgb, windows: list[Corner] | None) -> tuple[Half, ...]:
    """Run one subnet on one network input."""
    # In C order, channels last: what convolution is fastest on, and the same whether it comes from the cache.
    levels = tuple(level.astype(np.float16, order="C") for level in extractor.features(pixels))
    if windows is None:
        return levels
    cut = _cut(levels, windows, (pixels.shape[2], pixels.shape[1]))
    return tuple(np.stack([one[i] for one in cut]) for i in range(len(levels)))


def _cut(
    levels: Sequence[Half], corners: Sequence[Corner], size_px: tuple[int, int]
) -> list[tuple[Half, ...]]:
    rows, columns = window_size(size_px)
    windows = []
    for row, column in corners:
        parts = []
        for level in levels:
            # Levels at stride 8, 16, 32: the same place, in fewer cells.
            shrink = size_px[1] // STRIDE_PX // level.shape[1]
            part = level[
                0, row // shrink : (row + rows) // shrink, column // shrink : (column + columns) // shrink
            ]
            parts.append(part)
        windows.append(tuple(parts))
    return windows


def _with_targets(
    tile: Tile,
    corners: Sequence[Corner],
    labels: Labels,
    plan: SamplePlan,
    features: Sequence[tuple[Half, ...]],
) -> list[Window]:
    view = tile.view
    size_px, window = (view.width_px, view.height_px), window_size(plan.size_px)
    whole = build_targets(
        view.boxes_px(labels.boxes_norm),
        labels.classes,
        len(plan.classes),
        size_px,
        None if labels.trusted_norm is None else view.boxes_px(labels.trusted_norm),
    )
    windows = []
    for corner, levels in zip(corners, features, strict=True):
        part = whole.window(*corner, window)
        trusted = part.trusted * inner_cells(corner, size_px, window, is_part=size_px != plan.size_px)
        windows.append(Window(levels, replace(part, trusted=trusted)))
    return windows


def look_at_frames(
    pictures: Iterator[tuple[LabelledFrame, Rgb]],
    threads: int,
    look: Callable[[LabelledFrame, Rgb], FrameSamples],
    done: Callable[[int], None],
) -> list[FrameSamples]:
    """Run `look` on every picture, several at once, in order; call `done` with the count after each."""
    results: list[FrameSamples] = []
    with ThreadPoolExecutor(threads) as pool:
        try:
            for samples in pool.map(lambda pair: look(*pair), pictures):
                results.append(samples)
                done(len(results))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results
