"""Pictures as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ExportError
from compress.pictures import choose_golden, evenly, store_pictures
from tests.compress.tiny import HEIGHT_PX, WIDTH_PX, TinyDetector, held_out


@given(st.integers(0, 300), st.integers(2, 40))
def test_evenly_keeps_order_and_both_ends(count: int, limit: int) -> None:
    kept = list(evenly(list(range(count)), limit))
    assert kept == sorted(set(kept))
    assert len(kept) == min(count, limit)
    assert not kept or (kept[0] == 0 and kept[-1] == count - 1)


def test_choose_golden_takes_many_some_and_few_objects() -> None:
    pictures = [held_out(seed) for seed in range(2000, 2020)]
    counts = [len(picture.truth) for picture in choose_golden(pictures)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 2
    assert counts[-1] == 0


def test_store_pictures_writes_what_the_detector_gives(tmp_path: Path) -> None:
    stored = store_pictures(TinyDetector(held_out=5, calibration=7), tmp_path)
    assert np.load(stored.calibration_file).shape == (7, HEIGHT_PX, WIDTH_PX, 3)
    assert np.array_equal(np.load(stored.held_out[4]), held_out(2004).rgb())
    assert len(stored.truth) == 5
    assert len(stored.golden) == 3


def test_store_pictures_without_a_test_set_takes_golden_frames_from_calibration(tmp_path: Path) -> None:
    stored = store_pictures(TinyDetector(held_out=0, calibration=4), tmp_path)
    assert len(stored.golden) == 3
    assert stored.held_out == ()


def test_store_pictures_without_any_picture_says_so(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no pictures to calibrate with"):
        store_pictures(TinyDetector(calibration=0), tmp_path)
