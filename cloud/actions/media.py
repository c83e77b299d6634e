"""Pictures and videos in: copied into the home folder, looked at, noted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from cloud.datasets.images import image_size
from cloud.datasets.video import probe
from cloud.errors import InputError
from cloud.settings import Settings
from cloud.store import detectors, media
from cloud.store.files import StoredFile, copy_file
from cloud.store.ids import new_id
from cloud.store.tables import Media

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_MAX_NAME_CHARS = 200

Role = Literal["teach", "test"]


@dataclass(frozen=True)
class MediaFacts:
    """What a file is, before it is noted."""

    kind: str
    width_px: int
    height_px: int
    frame_count: int
    fps: float | None


def look_at(path: Path, name: str) -> MediaFacts:
    """Return what a file is, by its name and content.

    Raises:
        InputError: It is neither a picture nor a video that can be read.
    """
    if Path(name).suffix.lower() in IMAGE_SUFFIXES:
        width, height = image_size(path)
        return MediaFacts("image", width, height, 1, None)
    facts = probe(path)
    return MediaFacts("video", facts.width_px, facts.height_px, facts.frames, facts.fps)


def import_file(
    session: Session,
    settings: Settings,
    *,
    detector_id: str,
    source: Path,
    now_s: float,
    role: Role = "teach",
) -> Media:
    """Copy a file of the user into the home folder and note it.

    Raises:
        InputError: It cannot be read.
        StorageError: The disk is full.
    """
    if not source.is_file():
        message = f"{source}: no such file"
        raise InputError(message)
    facts = look_at(source, source.name)
    stored = copy_file(source, new_media_path(settings, detector_id, source.name))
    return note_file(
        session,
        settings,
        detector_id=detector_id,
        stored=stored,
        name=source.name,
        now_s=now_s,
        facts=facts,
        role=role,
    )


def note_file(
    session: Session,
    settings: Settings,
    *,
    detector_id: str,
    stored: StoredFile,
    name: str,
    now_s: float,
    facts: MediaFacts | None = None,
    role: Role = "teach",
) -> Media:
    """Note a file that lies in the media folder; when it is no picture or video, it is removed again.

    Raises:
        InputError: It is neither a picture nor a video that can be read.
        NotFoundError: There is no such detector.
    """
    try:
        detectors.find(session, detector_id)
        facts = facts or look_at(stored.path, name)
    except InputError as error:
        stored.path.unlink(missing_ok=True)
        # People know their file by the name that they gave it.
        raise InputError(str(error).replace(stored.path.name, plain_name(name))) from error
    except Exception:
        stored.path.unlink(missing_ok=True)
        raise
    row = Media(
        id=stored.path.stem,
        detector_id=detector_id,
        role=role,
        kind=facts.kind,
        name=plain_name(name),
        path=str(stored.path.relative_to(settings.home)),
        sha256=stored.sha256,
        width_px=facts.width_px,
        height_px=facts.height_px,
        frame_count=facts.frame_count,
        fps=facts.fps,
        created=now_s,
    )
    noted = media.add(session, row)
    if noted.id != row.id:
        stored.path.unlink(missing_ok=True)
    return noted


def new_media_path(settings: Settings, detector_id: str, name: str) -> Path:
    """Return a place for a new file; its own name is kept as data only, never as a path."""
    suffix = Path(name).suffix.lower()
    safe = suffix if suffix[1:].isalnum() and suffix.isascii() else ""
    return settings.media_path / detector_id / f"{new_id('med')}{safe}"


def plain_name(name: str) -> str:
    """Return a file's name as it can be shown: no folders, nothing that cannot be printed."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable())[:_MAX_NAME_CHARS] or "unnamed"
