"""Which frames a benchmark learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.creating.lessons import SET_FRAMES, Lessons, numbers_of_sets, unpacked
from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.datasets.pictures import read_picture
from cloud.samples.catalog import find_sample_task


def image(number: int, frame: int, **more: int) -> dict[str, Any]:
    return {"id": number, "frame_index": frame, **more}


def test_numbers_of_sets_named_in_the_file_are_taken_in_order() -> None:
    images = [image(1, 10, set=1), image(2, 20, set=0), image(3, 30, set=1), image(4, 40)]
    assert list(numbers_of_sets(images, 100).items()) == [(0, {2}), (1, {1, 3})]


def test_numbers_of_sets_too_near_the_test_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="frame 95"):
        numbers_of_sets([image(1, 95, set=0)], 90)


def test_numbers_of_sets_none_named_gives_ten_spread_over_those_far_enough() -> None:
    images = [image(frame, frame) for frame in range(0, 100, 5)]
    (only,) = numbers_of_sets(images, 90).values()
    assert len(only) == SET_FRAMES
    assert min(only) == 0
    assert max(only) == 90


def test_numbers_of_sets_few_images_gives_all_of_them() -> None:
    assert numbers_of_sets([image(1, 0), image(2, 5)], 90) == {0: {1, 2}}
    assert numbers_of_sets([image(1, 0)], 90) == {0: {1}}


def lessons_of(sets: int) -> Lessons:
    def frame(index: int) -> LabelledFrame:
        return LabelledFrame(PictureSource(Path("clip"), index), 8, 8, ())

    numbers = [tuple(frame(i) for i in range(number, sets * SET_FRAMES, sets)) for number in range(sets)]
    return Lessons(find_sample_task("persons"), tuple(numbers), (), ())


@pytest.mark.parametrize(("count", "number"), [(3, 0), (5, 4), (10, 2), (20, 0), (20, 4), (50, 3)])
def test_spread_gives_so_many_different_frames_over_the_whole_clip(count: int, number: int) -> None:
    chosen = [frame.source.frame_index or 0 for frame in lessons_of(5).spread(number, count)]
    assert len(set(chosen)) == count
    assert chosen == sorted(chosen)
    assert max(chosen) - min(chosen) >= 25


def test_spread_of_one_set_takes_no_frame_of_another() -> None:
    lessons = lessons_of(5)
    assert set(lessons.spread(1, 5)) <= set(lessons.sets[1])


def test_unpacked_has_the_very_pixels_and_labels(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    frame = LabelledFrame(PictureSource(tmp_path / "a.png"), 16, 12, ())
    (first,) = unpacked([frame], tmp_path / "frames")
    (again,) = unpacked([frame], tmp_path / "frames")
    assert first == again
    assert first.source.path.parent == tmp_path / "frames"
    assert np.array_equal(read_picture(first.source), rgb)
