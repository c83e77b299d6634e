"""Nearly equal pictures are recognised, others are not taken for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cloud.errors import InputError
from cloud.evaluation.likeness import likeness_of, nearly_equal
from edge_agent.vision.arrays import Rgb


def scene(seed: int, person_at: int | None = None) -> Rgb:
    """Return a smooth scene, with somebody in it or not."""
    coarse = np.random.default_rng(seed).integers(40, 216, (12, 16), np.uint8)
    pixels = np.asarray(
        Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC).convert("RGB")
    ).copy()
    if person_at is not None:
        pixels[150:450, person_at : person_at + 120] = 10
    return pixels


def saved(folder: Path, name: str, pixels: Rgb, quality: int = 90) -> str | None:
    Image.fromarray(pixels).save(folder / name, quality=quality)
    return likeness_of(folder / name)


def test_same_picture_compressed_harder_brighter_and_smaller_is_nearly_equal(tmp_path: Path) -> None:
    first = saved(tmp_path, "a.jpg", scene(1))
    assert nearly_equal(first, saved(tmp_path, "b.jpg", scene(1), quality=30))
    assert nearly_equal(first, saved(tmp_path, "c.jpg", np.minimum(scene(1) + 8, 255).astype(np.uint8)))
    small = np.asarray(Image.fromarray(scene(1)).resize((320, 240)), np.uint8)
    assert nearly_equal(first, saved(tmp_path, "d.png", small))


def test_another_scene_or_somebody_elsewhere_in_it_is_not(tmp_path: Path) -> None:
    first = saved(tmp_path, "a.jpg", scene(1, person_at=50))
    assert not nearly_equal(first, saved(tmp_path, "b.jpg", scene(2, person_at=50)))
    assert not nearly_equal(first, saved(tmp_path, "c.jpg", scene(1, person_at=400)))


def test_picture_of_one_shade_is_like_nothing(tmp_path: Path) -> None:
    flat = saved(tmp_path, "a.png", np.full((48, 64, 3), 90, np.uint8))
    assert flat is None
    assert not nearly_equal(flat, flat)


def test_no_picture_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"a\.jpg"):
        likeness_of(tmp_path / "a.jpg")
