"""Pictures that look alike are found, others are not, whatever size and quality they have."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cloud.datasets.looks import look_of, near_duplicate_groups
from edge_agent.vision.arrays import Rgb


def scene(seed: int) -> Rgb:
    """Return blobs of colour, as smooth as photographs are."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC), np.uint8)


def as_jpeg(rgb: Rgb, quality: int) -> Rgb:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream), np.uint8)


def smaller(rgb: Rgb) -> Rgb:
    return np.asarray(Image.fromarray(rgb).resize((80, 60), Image.Resampling.BILINEAR), np.uint8)


def test_near_duplicates_are_the_same_scene_smaller_and_compressed() -> None:
    pictures = [scene(1), scene(2), as_jpeg(scene(1), 40), scene(3), smaller(scene(1)), smaller(scene(3))]
    assert near_duplicate_groups([look_of(rgb) for rgb in pictures]) == [(0, 2, 4), (3, 5)]


def test_different_scenes_are_no_near_duplicates() -> None:
    assert near_duplicate_groups([look_of(scene(seed)) for seed in range(40)]) == []


def test_pictures_of_one_colour_are_told_apart_by_it() -> None:
    plain = [np.full((48, 64, 3), grey, np.uint8) for grey in (10, 200, 205)]
    assert near_duplicate_groups([look_of(rgb) for rgb in plain]) == [(1, 2)]


def test_no_pictures_have_no_groups() -> None:
    assert near_duplicate_groups([]) == []
