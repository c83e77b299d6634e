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
from cloud.training.views import View, draw_view, plain_view, random_view
from cloud.training.windows import Corner, all_windows, choose_windows, inner_cells, window_size
from edge_agent.vision.arrays import Float32, Int64, Rgb


@dataclass(frozen=True)
class Labels:
    """Labels as arrays: `boxes_norm (n, 4)`, `classes (n,)`, `trusted_norm (m, 4)` or none = everywhere."""

    boxes_norm: Float32
    classes: Int64
    trusted_norm: Float32 | None


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


@dataclass(frozen=True)
class SamplePlan:
    """How many views of each frame, at which input size, for which classes."""

    size_px: tuple[int, int]
    classes: tuple[str, ...]
    views: int
    windows_per_view: int
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
    extractor: FeatureExtractor,
    cache: FeatureCache,
    enough: Callable[[int], bool],
) -> FrameSamples:
    """Look at the plain view of a frame and at random ones, until `enough` says so of their number.

    The random views of a picture depend on its pixels and the seed alone, so other frames never change them,
    and the cache holds.
    """
    labels, digest = labels_of(frame, plan.classes), picture_digest(rgb)
    plain = plain_view(*plan.size_px, (rgb.shape[1], rgb.shape[0]))
    look = partial(_features, rgb=rgb, digest=digest, extractor=extractor, cache=cache)
    whole = look(plain, None)
    corners = all_windows(plan.size_px)
    windows = _with_targets(plain, corners, labels, plan, _cut(whole, corners, plan.size_px))
    views = 1
    for number in range(plan.views):
        if enough(views):
            break
        views += 1
        random = np.random.default_rng([plan.seed, number, int(digest[:16], 16)])
        view = random_view(plain, random)
        inside = clip_boxes(view.boxes_px(labels.boxes_norm), plan.size_px)
        chosen = choose_windows(inside, plan.size_px, plan.windows_per_view, random)
        levels = look(view, chosen)
        cut = [tuple(level[i] for level in levels) for i in range(len(chosen))]
        windows += _with_targets(view, chosen, labels, plan, cut)
    return FrameSamples(frame, tuple(windows), plain, whole, views)


def _features(
    view: View,
    windows: list[Corner] | None,
    *,
    rgb: Rgb,
    digest: str,
    extractor: FeatureExtractor,
    cache: FeatureCache,
) -> tuple[Half, ...]:
    """Return features a level: of the whole view `(1, h, w, c)`, or of windows `(n, rows, columns, c)`."""
    key = cache_key(digest, view, windows, extractor.subnet.sha256)
    kept = cache.get(key)
    if kept is not None:
        return kept
    # In C order, channels last: what convolution is fastest on, and the same whether it comes from the cache.
    levels = tuple(
        level.astype(np.float16, order="C") for level in extractor.features(draw_view(view, rgb)[None])
    )
    if windows is not None:
        size_px = (view.width_px, view.height_px)
        cut = _cut(levels, windows, size_px)
        levels = tuple(np.stack([window[i] for window in cut]) for i in range(len(levels)))
    cache.put(key, levels)
    return levels


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
    view: View,
    corners: Sequence[Corner],
    labels: Labels,
    plan: SamplePlan,
    features: Sequence[tuple[Half, ...]],
) -> list[Window]:
    whole = build_targets(
        view.boxes_px(labels.boxes_norm),
        labels.classes,
        len(plan.classes),
        plan.size_px,
        None if labels.trusted_norm is None else view.boxes_px(labels.trusted_norm),
    )
    windows = []
    for corner, levels in zip(corners, features, strict=True):
        part = whole.window(*corner, window_size(plan.size_px))
        trusted = part.trusted * inner_cells(corner, plan.size_px)
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
