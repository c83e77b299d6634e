"""When a frame was: from its number and the rate of its video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cloud.datasets.frames import LabelledFrame
from cloud.datasets.video import open_video

USUAL_FPS: Final = 25.0
"""Where a file does not say its rate."""


def frames_per_second(video: Path) -> float:
    """Return the mean rate that a video's header tells.

    Raises:
        InputError: It cannot be read as a video.
    """
    with open_video(video) as (_, stream):
        return float(stream.average_rate or stream.guessed_rate or 0) or USUAL_FPS


def seconds_of(frames: Sequence[LabelledFrame]) -> list[float | None]:
    """Return when each frame is in its video; none for an image.

    Raises:
        InputError: A file cannot be read as a video.
    """
    videos = {frame.source.path for frame in frames if frame.source.frame_index is not None}
    rates = {path: frames_per_second(path) for path in sorted(videos)}
    return [
        None if (index := frame.source.frame_index) is None else index / rates[frame.source.path]
        for frame in frames
    ]
