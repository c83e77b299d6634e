"""Scans: which recordings there are, and by whom they are to be looked through; no torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cloud.accounts.workspaces import HOME, current
from cloud.actions.media import refuse_unready
from cloud.actions.open_home import Home
from cloud.errors import InputError, NotFoundError
from cloud.scan.recording import SUFFIXES, read_header
from cloud.settings import Settings
from cloud.store import media, scans
from cloud.store.ids import new_id
from cloud.store.scan_tables import RecordingRow
from cloud.store.tables import Media
from cloud.streams.address import recordings_of

SCAN = "scan"
"""The kind of job that looks through recordings."""

_NAME_CHARS = 40
_BLOCK_BYTES = 1 << 20


def recordings_path(settings: Settings) -> Path:
    """Return the folder whose recordings whoever asks may have scanned."""
    return recordings_of(settings, current() or HOME)


def named_files(settings: Settings, names: Sequence[str]) -> list[Path]:
    """Return the recordings in the folder of recordings that are named, or lie in a folder that is.

    Raises:
        NotFoundError: There is none of such a name.
        InputError: A name leads out of the folder, or a folder holds no recording.
    """
    top = recordings_path(settings).resolve()
    found = []
    for name in names:
        path = (top / name).resolve()
        if not path.is_relative_to(top):
            message = f"{name!r} does not lie in the folder of recordings; give a name below {top}"
            raise InputError(message)
        if not path.exists():
            message = f"there is no recording {name!r}; put it into {top}"
            raise NotFoundError(message)
        found.append(path)
    return videos_in(found)


def videos_in(paths: Iterable[Path]) -> list[Path]:
    """Return files as they are, and the videos in folders, at any depth, by name.

    Raises:
        InputError: There is nothing at a path, or no video in a folder.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            message = f"{path}: there is no such file or folder"
            raise InputError(message)
        inside = [one for one in sorted(path.rglob("*")) if one.suffix.lower() in SUFFIXES]
        if path.is_dir() and not inside:
            message = f"{path}: holds no video; give MP4, MKV, AVI, MOV, WebM or TS"
            raise InputError(message)
        found += inside if path.is_dir() else [path]
    return found


def note_file(home: Home, path: Path, began: float | None = None) -> RecordingRow:
    """Note a recording by its content, and return it.

    Args:
        home: Where to note it.
        path: Of the video; it stays where it is.
        began: UTC seconds since 1970 of its first picture; none: as its header says, or as its file's time
            allows.

    Raises:
        InputError: It is no video.
    """
    header = read_header(path)
    try:
        sha256, written_s = _sha256(path), path.stat().st_mtime
    except OSError as error:
        message = f"{path.name}: cannot be read ({error.strerror})"
        raise InputError(message) from error
    told = header.began if began is None else began
    row = RecordingRow(
        id=new_id("rec"),
        camera=camera_name(path.stem, sha256),
        name=path.name,
        path=_stored_path(home.settings, path),
        sha256=sha256,
        media_id=None,
        began=max(0.0, written_s - header.duration_s) if told is None else told,
        fps=header.fps,
        duration=header.duration_s,
        width_px=header.width_px,
        height_px=header.height_px,
        created=home.clock.now_s(),
    )
    with home.database.write() as session:
        return scans.note(session, row)


def note_medium(home: Home, media_id: str) -> RecordingRow:
    """Note a video of the cloud as a recording, and return it.

    Raises:
        NotFoundError: There is no such medium.
        InputError: It is a picture, or not ready.
    """
    with home.database.read() as session:
        medium = media.find(session, media_id)
    if medium.kind != "video":
        message = f"{medium.name} is a picture; only videos can be scanned"
        raise InputError(message)
    refuse_unready(medium)
    row = _row_of(home, medium)
    with home.database.write() as session:
        return scans.note(session, row)


def file_of(settings: Settings, row: RecordingRow) -> Path:
    """Return where a recording lies.

    Raises:
        InputError: It is no longer there.
    """
    path = settings.home / row.path
    if not path.is_file():
        message = f"{row.name}: no longer at {path}; put it back, or scan it from where it is now"
        raise InputError(message)
    return path


def camera_name(stem: str, sha256: str) -> str:
    """Return what events of a recording name as their camera: short, readable, its own."""
    plain = re.sub(r"[^a-zA-Z0-9_-]+", "-", stem).strip("-")[:_NAME_CHARS]
    return f"{plain or 'recording'}-{sha256[:6]}"


def _row_of(home: Home, medium: Media) -> RecordingRow:
    path = home.settings.home / medium.path
    header = read_header(path)
    return RecordingRow(
        id=new_id("rec"),
        camera=camera_name(Path(medium.name).stem, medium.sha256),
        name=medium.name,
        path=medium.path,
        sha256=medium.sha256,
        media_id=medium.id,
        began=medium.created if header.began is None else header.began,
        fps=medium.fps or header.fps,
        duration=header.duration_s,
        width_px=header.width_px,
        height_px=header.height_px,
        created=home.clock.now_s(),
    )


def _stored_path(settings: Settings, path: Path) -> str:
    whole, home = path.resolve(), settings.home.resolve()
    return str(whole.relative_to(home)) if whole.is_relative_to(home) else str(whole)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
