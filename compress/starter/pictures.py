"""Pictures for calibration: whatever photos and clips are at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from compress.starter.photos import read_photo
from edge_agent.errors import ConfigError
from edge_agent.vision.arrays import Rgb

_PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png"}
_FRAMES_OF_A_CLIP = 25


def read_pictures(paths: Sequence[Path], frame_limit: int) -> Iterator[Rgb]:
    """Give all photos of folders and evenly spaced frames of clips.

    Args:
        paths: Folders of photos, single photos and clips.
        frame_limit: Frames from this index on are never taken from a clip: they may be needed for evaluation.

    Raises:
        ConfigError: Something is neither photo, clip nor folder.
    """
    for path in paths:
        if path.is_dir():
            photos = sorted(p for p in path.rglob("*") if p.suffix.lower() in _PHOTO_SUFFIXES)
            yield from (read_photo(photo) for photo in photos)
        elif path.suffix.lower() in _PHOTO_SUFFIXES:
            yield read_photo(path)
        else:
            frames = clip_frames(path, range(frame_limit))
            step = max(1, len(frames) // _FRAMES_OF_A_CLIP)
            yield from [frames[index] for index in sorted(frames)][::step]


def clip_frames(path: Path, wanted: Sequence[int]) -> dict[int, Rgb]:
    """Return the wanted frames of a clip by their index, as far as it has them.

    Raises:
        ConfigError: It is no clip.
    """
    indices, last = set(wanted), max(wanted)
    frames = {}
    try:
        with av.open(str(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index > last:
                    break
                if index in indices:
                    frames[index] = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except av.FFmpegError as error:
        message = f"{path} is neither a photo nor a clip: {error}"
        raise ConfigError(message) from error
    return frames
