"""Decoded frames of pictures and videos as JPEG files, made once."""

from __future__ import annotations

from pathlib import Path

import simplejpeg

from cloud.actions.lessons import source_of
from cloud.actions.media import refuse_unready
from cloud.datasets.pictures import read_picture
from cloud.errors import NotFoundError
from cloud.settings import Settings
from cloud.store.files import write_file
from cloud.store.tables import Media

JPEG_QUALITY = 88


def jpeg_of_frame(settings: Settings, row: Media, index: int) -> Path:
    """Return the file of a frame as JPEG; it is decoded when nobody asked for it before.

    Raises:
        InputError: The file or the frame cannot be read.
        StorageError: The disk is full.
    """
    path = settings.cache_path / "frames" / row.id / f"{index}.jpg"
    if not path.is_file():
        rgb = read_picture(source_of(settings.home, row, index))
        write_file(path, simplejpeg.encode_jpeg(rgb, JPEG_QUALITY, "RGB"))
    return path


def check_index(row: Media, index: int) -> None:
    """Check that a medium has a frame.

    Raises:
        NotFoundError: It has not.
        ConflictError: It is a video that is still being prepared.
        InputError: It is a video that cannot be read.
    """
    refuse_unready(row)
    if not 0 <= index < row.frame_count:
        message = f"{row.name} has no frame {index}; it has {row.frame_count}, numbered from 0"
        raise NotFoundError(message)
