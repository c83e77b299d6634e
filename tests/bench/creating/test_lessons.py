"""Which frames a benchmark learns from."""

from __future__ import annotations

from typing import Any

import pytest

from bench.creating.lessons import SET_FRAMES, numbers_of_sets


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
