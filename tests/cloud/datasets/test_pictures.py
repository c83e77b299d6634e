"""Pixels of frames, read file by file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloud.datasets.frames import PictureSource
from cloud.datasets.pictures import PictureShelf, read_picture
from cloud.errors import InputError
from tests.cloud.datasets.footage import shown_number, write_video


def test_shelf_hands_out_each_frame_whatever_the_order_and_again_when_asked_again(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", 20)
    sources = [PictureSource(clip, index) for index in (3, 11, 7)]
    shelf = PictureShelf(sources)
    asked = [*reversed(sources), sources[0]]
    assert [shown_number(shelf.take(source)) for source in asked] == [7, 11, 3, 3]


def test_shelf_with_a_file_that_is_no_video_says_so_at_the_first_picture(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    with pytest.raises(InputError, match=r"broken\.mp4"):
        PictureShelf([PictureSource(broken, 0)]).take(PictureSource(broken, 0))


def test_picture_of_a_frame_is_that_frame(tmp_path: Path) -> None:
    assert shown_number(read_picture(PictureSource(write_video(tmp_path / "clip.mp4", 8), 5))) == 5
