"""Where lies what a version saw in a video; no torch."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from cloud.actions.detectors import version_path
from cloud.errors import InputError
from cloud.settings import Settings
from cloud.store.tables import Media
from cloud.watch.kept import Frames, Kept, read_kept

WATCH = "watch"
"""The kind of job that looks through a video."""


def watched_path(settings: Settings, row: Media, version: int, frames: Frames) -> Path:
    """Return the folder of what a version saw in a video."""
    return version_path(settings, row.detector_id, version) / "watched" / f"{row.id}-{frames}"


def watched(settings: Settings, row: Media, version: int) -> tuple[Frames, Kept] | None:
    """Return what a version saw in a video; of two passes the one that came further, or that saw more."""
    found: tuple[Frames, Kept] | None = None
    modes: tuple[Frames, ...] = get_args(Frames)
    for frames in modes:
        kept = read_kept(watched_path(settings, row, version, frames))
        if kept is not None and (found is None or kept.until >= found[1].until):
            found = (frames, kept)
    return found


def refuse_picture(row: Media) -> None:
    """Refuse what cannot be watched.

    Raises:
        InputError: It is a picture.
    """
    if row.kind != "video":
        message = f"{row.name} is a picture; only videos can be watched"
        raise InputError(message)
