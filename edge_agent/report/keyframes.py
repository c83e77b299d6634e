"""Clear key frames, and clips, that stay on the camera, encrypted, until their owner lets one go.

One frame for each event, and one a second or so while something moves, so that "something was missed at half
past nine" can be answered. The folder is a ring bound by a quota; so is what is written a day.
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import hashlib
import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from edge_agent.clock import Clock
from edge_agent.errors import StorageError
from edge_agent.report.commands import RateLimitedLog
from edge_agent.wire.sync import FrameWanted

_log = logging.getLogger(__name__)

_DAY_S = 86_400.0
_NO_EVENT = "-"
_NAME = re.compile(r"^(?P<time_ms>\d{13})-(?P<event>[a-zA-Z0-9_-]{1,64})\.(?P<kind>[a-z0-9]+)\.enc$")
# So much of a day's writes may be spent at once, so that a busy quarter of an hour is kept whole.
_BURST_SHARE = 0.2
# Of that, frames of no event leave so much to those of events, which begin to save when they are down to it.
_SAVED_SHARE = 0.5
_PAGE_BYTES = 4096
QUALITY, THRIFTY_QUALITY = 90, 40


@dataclass(frozen=True, order=True)
class _Entry:
    time_ms: int
    event_key: str
    path: Path
    bytes: int


class KeyFrames:
    """The ring; safe for many threads.

    A failing disk costs key frames, never detection: `add` then logs and answers False.
    """

    def __init__(
        self,
        folder: Path,
        key_file: Path,
        *,
        max_bytes: int,
        daily_bytes: int,
        clock: Clock,
        every_s: float = 1.0,
        kind: str = "jpg",
        after_sealing: Callable[[], None] | None = None,
    ) -> None:
        """Open the ring, or make it.

        Args:
            folder: Where the frames lie, a folder for each camera.
            key_file: The key, readable by its owner only; made if there is none.
            max_bytes: Room for all frames; the oldest go first.
            daily_bytes: What may be written in a day; on the first one, a fifth more.
            clock: Where the time comes from.
            every_s: Least time between two frames of one camera that belong to no event.
            kind: What they are, as a suffix: `mp4` in a ring of clips.
            after_sealing: Told each time that the cipher has done its work for a while.

        Raises:
            StorageError: The folder or the key cannot be read or written.
        """
        self._folder = folder
        self._max_bytes = max_bytes
        self._clock = clock
        self._failures = RateLimitedLog(clock)
        self._every_s = every_s
        self._kind = kind
        self._after_sealing = after_sealing
        self._refill = daily_bytes / _DAY_S
        self._burst = self._budget = daily_bytes * _BURST_SHARE
        self._refilled_at_s = clock.monotonic_s()
        self._last_s: dict[str, float] = {}
        self._lock = threading.Lock()
        self._fernet = Fernet(_load_key(key_file))
        self._entries = self._scan()

    def due(self, camera: str, time_s: float) -> bool:
        """Return whether a frame of no event would be kept now, before somebody encodes it."""
        last_s = self._last_s.get(camera)
        return last_s is None or not 0 <= time_s - last_s < self._every_s

    def quality(self) -> int:
        """Return the JPEG quality that the day's writes allow: small frames are better than none."""
        with self._lock:
            plenty = self._refilled_budget() >= self._burst * _SAVED_SHARE
            return QUALITY if plenty else THRIFTY_QUALITY

    def add(self, camera: str, time_s: float, jpeg: bytes, *, event_id: str | None = None) -> bool:
        """Keep a frame; return whether it was kept.

        Args:
            camera: Its name.
            time_s: UTC seconds since 1970 of the capture.
            jpeg: The picture.
            event_id: The event that it shows; none for a frame kept just in case.
        """
        with self._lock:
            saved = 0.0 if event_id is not None else self._burst * _SAVED_SHARE
            if event_id is None and not self.due(camera, time_s):
                return False
            cost = _written_bytes(len(jpeg))
            if self._refilled_budget() < cost + saved:
                return False
            self._last_s[camera] = time_s
            self._budget -= cost
            try:
                self._write(camera, int(time_s * 1000), _event_key(event_id), jpeg)
            except OSError as error:
                self._failures.warning(f"key frame of {camera} was not kept: {error}")
                return False
            return True

    def find(self, wanted: FrameWanted, *, tolerance_s: float = 5.0) -> bytes | None:
        """Return the JPEG that is asked for: of the event, else the nearest in time; none if it is gone."""
        with self._lock:
            entry = self._of_event(wanted.event_id) if wanted.event_id else None
            if entry is None and wanted.camera is not None and wanted.time is not None:
                entry = self._nearest(wanted.camera, int(wanted.time * 1000), int(tolerance_s * 1000))
            return self._open(entry) if entry else None

    def _of_event(self, event_id: str) -> _Entry | None:
        key = _event_key(event_id)
        matches = (entry for entries in self._entries.values() for entry in entries if entry.event_key == key)
        return min(matches, default=None)

    def _nearest(self, camera: str, time_ms: int, tolerance_ms: int) -> _Entry | None:
        entries = self._entries.get(camera, [])
        at = bisect.bisect_left(entries, time_ms, key=lambda entry: entry.time_ms)
        near = min(entries[max(at - 1, 0) : at + 1], key=lambda e: abs(e.time_ms - time_ms), default=None)
        return near if near is not None and abs(near.time_ms - time_ms) <= tolerance_ms else None

    def _refilled_budget(self) -> float:
        now_s = self._clock.monotonic_s()
        refilled = self._budget + (now_s - self._refilled_at_s) * self._refill
        self._budget, self._refilled_at_s = min(self._burst, refilled), now_s
        return self._budget

    def _write(self, camera: str, time_ms: int, event_key: str, jpeg: bytes) -> None:
        # A Fernet token is base64 text; its bytes take a quarter less.
        data = base64.urlsafe_b64decode(self._fernet.encrypt(jpeg))
        if self._after_sealing is not None:
            self._after_sealing()
        self._make_room(len(data))
        folder = self._folder / camera
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time_ms:013d}-{event_key}.{self._kind}.enc"
        part = path.with_suffix(".part")
        try:
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        entries = self._entries.setdefault(camera, [])
        entries[:] = [entry for entry in entries if entry.path != path]
        bisect.insort(entries, _Entry(time_ms, event_key, path, len(data)))

    def _make_room(self, size: int) -> None:
        total = size + sum(entry.bytes for entries in self._entries.values() for entry in entries)
        while total > self._max_bytes and (cameras := [name for name, kept in self._entries.items() if kept]):
            oldest = min(cameras, key=lambda name: self._entries[name][0])
            entry = self._entries[oldest].pop(0)
            entry.path.unlink(missing_ok=True)
            total -= entry.bytes
        if total > self._max_bytes:
            message = f"a frame of {size} bytes is over the quota of {self._max_bytes}"
            raise OSError(message)

    def _open(self, entry: _Entry) -> bytes | None:
        try:
            return self._fernet.decrypt(base64.urlsafe_b64encode(entry.path.read_bytes()))
        except (OSError, InvalidToken) as error:
            _log.warning("key frame %s cannot be read: %s", entry.path.name, type(error).__name__)
            return None

    def _scan(self) -> dict[str, list[_Entry]]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folders = [folder for folder in self._folder.iterdir() if folder.is_dir()]
            return {folder.name: _entries_of(folder, self._kind) for folder in folders}
        except OSError as error:
            message = f"key frames {self._folder}: {error.strerror}; give the agent a folder it can write"
            raise StorageError(message) from error


def _written_bytes(size: int) -> int:
    """Return what a file makes the disk write: whole pages, and one for the folder and its like."""
    return (size // _PAGE_BYTES + 2) * _PAGE_BYTES


@dataclass(frozen=True)
class Kept:
    """One that is kept for an event, as another process finds it.

    Attributes:
        camera: Whose.
        time_s: UTC seconds.
        event: The event's id, or its digest if it is no file name.
        path: Where it lies.
        bytes: What it takes there.
    """

    camera: str
    time_s: float
    event: str
    path: Path
    bytes: int


def list_kept(folder: Path, kind: str) -> list[Kept]:
    """Return what a ring keeps for events, oldest first, without a word to the agent that runs it.

    Raises:
        StorageError: The folder cannot be read.
    """
    try:
        found = [
            Kept(path.parent.name, int(name["time_ms"]) / 1000, name["event"], path, path.stat().st_size)
            for path in folder.glob("*/*.enc")
            if (name := _NAME.match(path.name)) and name["kind"] == kind and name["event"] != _NO_EVENT
        ]
    except OSError as error:
        message = f"{folder}: {error.strerror}; run this as the agent's user, or with sudo"
        raise StorageError(message) from error
    return sorted(found, key=lambda kept: kept.time_s)


def open_kept(kept: Kept, key_file: Path) -> bytes:
    """Return what is kept, in clear.

    Raises:
        StorageError: It or the key cannot be read, or they do not belong together.
    """
    try:
        locked = Fernet(key_file.read_bytes().strip())
        return locked.decrypt(base64.urlsafe_b64encode(kept.path.read_bytes()))
    except OSError as error:
        message = f"{error.filename}: {error.strerror}; run this as the agent's user, or with sudo"
        raise StorageError(message) from error
    except (InvalidToken, ValueError) as error:
        message = f"{kept.path}: cannot be opened with {key_file}; it is damaged, or of an older key"
        raise StorageError(message) from error


def _entries_of(folder: Path, kind: str) -> list[_Entry]:
    entries = []
    for path in folder.iterdir():
        if (found := _NAME.match(path.name)) and found["kind"] == kind:
            entries.append(_Entry(int(found["time_ms"]), found["event"], path, path.stat().st_size))
        else:
            path.unlink(missing_ok=True)
    return sorted(entries)


def _event_key(event_id: str | None) -> str:
    """Return an event's id as a part of a file name; an odd id by its digest."""
    if event_id is None:
        return _NO_EVENT
    return (
        event_id
        if re.fullmatch(r"[a-zA-Z0-9_-]{2,64}", event_id)
        else hashlib.sha256(event_id.encode()).hexdigest()
    )


def _load_key(path: Path) -> bytes:
    """Return the key of `path`; a damaged one is replaced, as what it locked is lost anyhow."""
    try:
        with contextlib.suppress(FileNotFoundError):
            path.chmod(0o600)
            key = path.read_bytes().strip()
            with contextlib.suppress(ValueError):
                Fernet(key)
                return key
            _log.error("%s is no key; a new one is made, and older key frames cannot be read any more", path)
            path.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        key = Fernet.generate_key()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        message = f"key {path}: {error.strerror}; give the agent a folder it can write"
        raise StorageError(message) from error
    return key
