"""Pictures and videos in: copied into the home folder, looked at, made ready, noted.

A video gets a playback copy (see `cloud.datasets.playback`), in whose frames everything counts from then on.
That takes a while, so staging is apart from noting: nobody waits for the database meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy.orm import Session

from cloud.datasets.images import read_image
from cloud.datasets.label_set import IMAGE_SUFFIXES
from cloud.datasets.looks import look_of
from cloud.datasets.playable import shows_itself
from cloud.datasets.playback import PlaybackMap, frames_of, make_playback, runs_of
from cloud.datasets.video import glance
from cloud.errors import ConflictError, InputError, NotFoundError
from cloud.settings import Settings
from cloud.store import detectors, media
from cloud.store.files import StoredFile, copy_file
from cloud.store.ids import new_id
from cloud.store.tables import Media

_MAX_NAME_CHARS = 200
_COPY_SUFFIX = ".play.mp4"

Role = Literal["teach", "test"]
MediaState = Literal["ready", "preparing", "broken"]
Share = Callable[[float], None]


@dataclass(frozen=True)
class MediaFacts:
    """What a file is. A video that waits for its copy has no frames yet; `copy` is the copy's path.

    `shown`: which frames of the upload the copy shows; none: the same.
    """

    kind: str
    width_px: int
    height_px: int
    frame_count: int
    fps: float | None
    state: MediaState = "ready"
    look: str | None = None
    copy: Path | None = None
    shown: list[list[int]] | None = None


@dataclass(frozen=True)
class Staged:
    """A file that lies in the home folder and is not noted yet."""

    stored: StoredFile
    name: str
    facts: MediaFacts

    def discard(self) -> None:
        """Remove the file again, with what was made of it."""
        discard(self.stored.path)


def look_at(path: Path, name: str) -> MediaFacts:
    """Return what a file is, by its name and content; a video that needs a copy is `preparing`.

    Raises:
        InputError: It is neither a picture nor a video that can be read.
    """
    if Path(name).suffix.lower() in IMAGE_SUFFIXES:
        rgb = read_image(path)
        return MediaFacts("image", rgb.shape[1], rgb.shape[0], 1, None, look=look_of(rgb))
    if (shown := shows_itself(path)) is not None:
        return MediaFacts("video", shown.width_px, shown.height_px, shown.frames, shown.fps)
    width, height = glance(path)
    return MediaFacts("video", width, height, 0, None, state="preparing")


def make_ready(path: Path, progress: Share | None = None) -> MediaFacts:
    """Make the playback copy of a video beside it.

    Args:
        path: The video.
        progress: Told the share that is done; may raise to cancel.

    Raises:
        InputError: It breaks off, or cannot be decoded.
    """
    copy = path.with_name(path.stem + _COPY_SUFFIX)
    made = make_playback(path, copy, progress)
    is_same = made.source_frames == tuple(range(made.frames))
    return MediaFacts(
        "video",
        made.width_px,
        made.height_px,
        made.frames,
        made.fps,
        copy=copy,
        shown=None if is_same else runs_of(made.source_frames),
    )


def stage(
    settings: Settings, detector_id: str, source: Path, name: str | None = None, progress: Share | None = None
) -> Staged:
    """Copy a file of the user into the home folder and make it ready; nothing is left when that fails.

    Args:
        settings: Where the home folder is.
        detector_id: For which detector.
        source: The file.
        name: What the user calls it, when not by the file's own name.
        progress: Told the share that is done.

    Raises:
        InputError: It cannot be read.
        StorageError: The disk is full.
    """
    name = plain_name(name or source.name)
    if not source.is_file():
        message = f"{source}: no such file"
        raise InputError(message)
    try:
        facts = look_at(source, name)
    except InputError as error:
        raise _renamed(error, source.name, name) from error
    stored = copy_file(source, new_media_path(settings, detector_id, name))
    try:
        if facts.state == "preparing":
            facts = make_ready(stored.path, progress)
    except InputError as error:
        discard(stored.path)
        raise _renamed(error, stored.path.name, name) from error
    except BaseException:
        discard(stored.path)
        raise
    return Staged(stored, name, facts)


def import_file(
    session: Session,
    settings: Settings,
    *,
    detector_id: str,
    source: Path,
    now_s: float,
    role: Role = "teach",
) -> Media:
    """Copy a file of the user into the home folder and note it; for videos, rather stage before the session.

    Raises:
        InputError: It cannot be read.
        StorageError: The disk is full.
    """
    return note(session, settings, stage(settings, detector_id, source), detector_id, now_s, role)


def look_at_upload(stored: StoredFile, name: str) -> Staged:
    """Return what a file is that was written to the media folder; when it is none, it is removed again.

    Raises:
        InputError: It is neither a picture nor a video that can be read.
    """
    try:
        return Staged(stored, plain_name(name), look_at(stored.path, name))
    except InputError as error:
        discard(stored.path)
        # People know their file by the name that they gave it.
        raise _renamed(error, stored.path.name, plain_name(name)) from error


def note(
    session: Session, settings: Settings, staged: Staged, detector_id: str, now_s: float, role: Role
) -> Media:
    """Note a staged file; the same content of one detector and role is noted once.

    Raises:
        NotFoundError: There is no such detector.
    """
    try:
        detectors.find(session, detector_id)
    except NotFoundError:
        staged.discard()
        raise
    path, facts = staged.stored.path, staged.facts
    row = Media(
        id=path.stem,
        detector_id=detector_id,
        role=role,
        kind=facts.kind,
        name=staged.name,
        path=str(path.relative_to(settings.home)),
        sha256=staged.stored.sha256,
        frame_count=0,
        created=now_s,
        width_px=facts.width_px,
        height_px=facts.height_px,
    )
    set_facts(settings, row, facts)
    noted = media.add(session, row)
    if noted.id != row.id:
        staged.discard()
    return noted


def set_facts(settings: Settings, row: Media, facts: MediaFacts) -> None:
    """Tell a row what its file is; once a video has a copy, that is what it is read from."""
    row.width_px, row.height_px = facts.width_px, facts.height_px
    row.frame_count, row.fps = facts.frame_count, facts.fps
    row.state, row.look, row.reason = facts.state, facts.look, None
    if facts.copy is not None:
        row.shown = facts.shown
        row.original_path = row.original_path or row.path
        row.path = str(facts.copy.relative_to(settings.home))


def map_of(row: Media) -> PlaybackMap | None:
    """Return which frame of the upload each frame of a video shows; none when they are the same."""
    if row.shown is None:
        return None
    return PlaybackMap(row.fps or 0.0, row.width_px, row.height_px, frames_of(row.shown))


def refuse_unready(row: Media) -> None:
    """Refuse to work with a video that has no frames yet.

    Raises:
        ConflictError: It is still being prepared.
        InputError: It could not be.
    """
    if row.state == "preparing":
        message = f"{row.name} is still being prepared; try again when that is done"
        raise ConflictError(message)
    if row.state == "broken":
        message = f"{row.name}: {row.reason}"
        raise InputError(message)


def discard(path: Path) -> None:
    """Remove a file of the media folder, with its copy."""
    for made in (path, path.with_name(path.stem + _COPY_SUFFIX)):
        made.unlink(missing_ok=True)


def new_media_path(settings: Settings, detector_id: str, name: str) -> Path:
    """Return a place for a new file; its own name is kept as data only, never as a path."""
    suffix = Path(name).suffix.lower()
    safe = suffix if suffix[1:].isalnum() and suffix.isascii() else ""
    return settings.media_path / detector_id / f"{new_id('med')}{safe}"


def plain_name(name: str) -> str:
    """Return a file's name as it can be shown: no folders, nothing that cannot be printed."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable())[:_MAX_NAME_CHARS] or "unnamed"


def _renamed(error: InputError, stored: str, name: str) -> InputError:
    return InputError(str(error).replace(stored, name))
