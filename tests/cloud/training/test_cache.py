"""Cached features: the right ones or none, never more than allowed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloud.training.cache import DiskCache, FeatureCache, NoCache, cache_key, picture_digest
from cloud.training.views import Tile, plain_view

LEVELS = (np.arange(8, dtype=np.float16).reshape(1, 2, 4), np.zeros((1, 1, 2), np.float16))


def test_disk_cache_returns_what_was_put(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "new" / "folder", 1_000_000)
    assert cache.get("a") is None
    cache.put("a", LEVELS)
    kept = cache.get("a")
    assert kept is not None
    for one, other in zip(kept, LEVELS, strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == np.float16


def test_disk_cache_damaged_entry_is_a_miss_and_goes(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 1_000_000)
    cache.put("a", LEVELS)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:20])
    assert cache.get("a") is None
    assert not entry.exists()


def test_disk_cache_folder_gone_costs_only_the_entry(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "c", 1_000_000)
    (tmp_path / "c").rmdir()
    cache.put("a", LEVELS)
    assert cache.get("a") is None


def test_disk_cache_trim_removes_the_longest_unused(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 0)
    for age, key in enumerate(["new", "middle", "old"]):
        cache.put(key, LEVELS)
        os.utime(tmp_path / f"{key}.safetensors", (1_000_000 - age, 1_000_000 - age))
    size = next(tmp_path.iterdir()).stat().st_size
    DiskCache(tmp_path, 2 * size).trim()
    assert {path.stem for path in tmp_path.iterdir()} == {"new", "middle"}
    cache.trim()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_told_once_and_costs_only_the_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = DiskCache(tmp_path / "gone", 10_000_000)
    (tmp_path / "gone").rmdir()
    cache.put("a", LEVELS)
    cache.put("b", LEVELS)
    assert cache.get("a") is None
    assert [record.message.partition(" in ")[0] for record in caplog.records] == [
        "features are no longer cached"
    ]


def test_no_cache_keeps_nothing() -> None:
    cache: FeatureCache = NoCache()
    cache.put("a", LEVELS)
    assert cache.get("a") is None


def test_cache_key_changes_with_everything_that_decides_features() -> None:
    rgb = np.zeros((4, 6, 3), np.uint8)
    other = rgb.copy()
    other[0, 0, 0] = 1
    view = plain_view(64, 64, (6, 4))
    keys = {
        cache_key(picture_digest(picture), seen, windows, subnet)
        for picture in (rgb, other, rgb.reshape(6, 4, 3))
        for seen in (
            (Tile(view),),
            (Tile(replace(view, mirrored=True)),),
            (Tile(view), Tile(view, left_px=32)),
        )
        for windows in (None, [(0, 0)], [(0, 4)])
        for subnet in ("a", "b")
    }
    assert len(keys) == 3 * 3 * 3 * 2
