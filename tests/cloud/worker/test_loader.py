"""What a detector to compress brings along: frames that nobody labelled, far from those that test."""

from __future__ import annotations

from pathlib import Path

from cloud.datasets.frames import LabelledFrame, PictureSource
from cloud.worker.loader import _apart_from

CLIP, OTHER = Path("clip.mp4"), Path("other.mp4")


def _frame(path: Path, index: int | None) -> LabelledFrame:
    return LabelledFrame(PictureSource(path, index), 64, 48, ())


def test_apart_from_held_out_frames_of_a_video_keeps_those_at_least_a_second_away() -> None:
    frames = [_frame(CLIP, index) for index in range(0, 200, 10)]

    kept = _apart_from([_frame(CLIP, 100)], frames)

    assert [frame.source.frame_index for frame in kept] == [*range(0, 70, 10), *range(140, 200, 10)]


def test_apart_from_frames_of_another_video_keeps_all() -> None:
    frames = [_frame(CLIP, index) for index in range(0, 50, 10)]

    assert _apart_from([_frame(OTHER, 20), _frame(Path("one.jpg"), None)], frames) == frames
