"""Pictures as files."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ExportError
from compress.pictures import (
    CALIBRATION_PICTURES,
    StoredPictures,
    choose_golden,
    covering,
    evenly,
    fit_pictures,
    in_few_colours,
    keep_pictures,
)
from compress.protocol import Rgb
from compress.stand_in import Teacher
from tests.compress.tiny import HEIGHT_PX, WIDTH_PX, TinyDetector, held_out, scene


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


def test_in_few_colours_stays_near_and_packs_small() -> None:
    random = np.random.default_rng(0)
    rgb = np.asarray(np.clip(scene(3).rgb + random.normal(0, 6, scene(3).rgb.shape), 0, 255), np.uint8)
    few = in_few_colours(rgb)
    assert int(np.abs(few.astype(int) - rgb.astype(int)).max()) <= 16
    assert len(zlib.compress(few.tobytes())) < len(zlib.compress(rgb.tobytes())) / 2


def store_pictures(detector: TinyDetector, folder: Path) -> StoredPictures:
    return fit_pictures(keep_pictures(detector, folder), detector.input_size_px, folder)


def test_covering_takes_one_of_each_kind_before_a_second_of_any() -> None:
    kinds = [np.full((12, 16, 3), value, np.uint8) for value in (0, 80, 160, 240)]
    frames = [kinds[index % 4] + np.uint8(index // 4) for index in range(40)]
    assert sorted(index % 4 for index in covering(frames, 4)) == [0, 1, 2, 3]


@given(st.integers(0, 30), st.integers(1, 12))
def test_covering_gives_distinct_indices_in_order_and_the_same_each_time(count: int, limit: int) -> None:
    frames = [scene(seed).rgb for seed in range(count)]
    chosen = covering(frames, limit)
    assert chosen == sorted(set(chosen)) == covering(frames, limit)
    assert len(chosen) == min(count, limit)


def test_keep_pictures_leaves_what_does_not_calibrate_for_the_comparison(tmp_path: Path) -> None:
    kept = keep_pictures(TinyDetector(calibration=60), tmp_path, unlabelled=30)
    assert len(kept.calibration) == CALIBRATION_PICTURES
    assert len(kept.unlabelled) == 30
    shown = {np.load(file).tobytes() for file in kept.unlabelled}
    assert shown.isdisjoint(rgb.tobytes() for rgb in kept.calibration)


def test_keep_pictures_measures_agreement_on_later_pictures_than_those_learned_from(tmp_path: Path) -> None:
    detector = TinyDetector(calibration=100)
    kept = keep_pictures(detector, tmp_path, unlabelled=50, lessons=30)
    all_of_them = [rgb.tobytes() for rgb in detector.calibration_pictures(100)]

    def places(pictures: Iterable[Rgb]) -> list[int]:
        return [all_of_them.index(rgb.tobytes()) for rgb in pictures]

    learned = places(map(np.load, kept.lessons))
    assert learned == list(range(30))
    assert set(places(kept.calibration)) <= set(learned)
    assert min(places(map(np.load, kept.unlabelled))) == 30
    tuned = places(map(np.load, kept.tuned_files))
    assert set(tuned) == {*places(kept.calibration), 26, 27, 28, 29}
    assert len(tuned) == len(set(tuned))


def test_teacher_shows_only_the_pictures_to_learn_from(tmp_path: Path) -> None:
    detector = TinyDetector(calibration=60)
    kept = keep_pictures(detector, tmp_path, unlabelled=30, lessons=20)
    shown = Teacher(detector, kept.lessons).calibration_pictures(10)
    assert [rgb.tobytes() for rgb in shown] == [np.load(file).tobytes() for file in kept.lessons[::2]]


def test_keep_pictures_tells_other_pictures_apart_by_its_digest(tmp_path: Path) -> None:
    digests = {keep_pictures(TinyDetector(calibration=count), tmp_path).digest for count in (8, 8, 9)}
    assert len(digests) == 2


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
