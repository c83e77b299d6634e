"""Uploads that go on after a cut: begun with a name and a length, sent in parts, taken in once all is there.

Room is looked for before the first byte. Of several connections that send the same upload, the newest may
write; the one before it, which may hang for long without knowing that it is cut off, may not any more.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from cloud.actions.media import Role, look_at_upload, new_media_path, note, plain_name
from cloud.errors import ConflictError, InputError, NotFoundError, TooLargeError
from cloud.settings import Settings
from cloud.store import detectors, media, scope
from cloud.store.database import Database
from cloud.store.files import StoredFile, sha256_of, storing
from cloud.store.ids import new_id
from cloud.store.tables import Detector
from cloud.store.uploads import Purpose, UploadFiles, UploadNote
from edge_agent.clock import Clock
from edge_agent.errors import ElfowlError, StorageError

MAX_FILE_BYTES: Final = 8_000_000_000
KEEP_S: Final = 7 * 86_400.0
# The database and what runs beside it need some room even while somebody fills the disk.
SPARE_BYTES: Final = 200_000_000
_MOST_UNDER_WAY: Final = 1000

FreeBytes = Callable[[Path], int]


def free_bytes_at(path: Path) -> int:
    """Return how much can still be written to the disk of a folder."""
    return shutil.disk_usage(path).free


class NewUpload(BaseModel):
    """What shall be sent; `sha256` is compared at the end, where the sender knows it."""

    detector_id: str
    name: str
    length_bytes: int
    purpose: Purpose = "media"
    role: Role = "teach"
    modified_ms: int | None = None
    sha256: str | None = None


class UploadDesk:
    """All that can be done with uploads under way, on one home folder."""

    def __init__(
        self, settings: Settings, database: Database, clock: Clock, free_bytes: FreeBytes = free_bytes_at
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._free_bytes = free_bytes
        self._files = UploadFiles(settings.uploads_path)
        self._beginning = threading.Lock()
        self._turns: dict[str, int] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._count = itertools.count(1)

    def begin(self, order: NewUpload, account_id: str | None) -> UploadNote:
        """Open an upload, when there is room for all of it.

        Raises:
            NotFoundError: There is no such detector.
            InputError: The file is empty.
            TooLargeError: It is larger than one file may be, or than what is left of the quota.
            StorageError: The disk has no room for it.
        """
        if order.length_bytes <= 0:
            message = f"{order.name}: the file is empty"
            raise InputError(message)
        with self._database.read() as session:
            detector_id = detectors.find(session, order.detector_id).id
        now_s = self._clock.now_s()
        # Two that begin at once shall not both be promised the last room.
        with self._beginning:
            self.check_room(order.length_bytes, plain_name(order.name))
            made = UploadNote(
                id=new_id("upl"),
                account_id=account_id,
                created=now_s,
                touched=now_s,
                **{**order.model_dump(), "detector_id": detector_id, "name": plain_name(order.name)},
            )
            self._files.keep(made)
        return made

    def check_room(self, length_bytes: int, name: str) -> None:
        """Refuse what there is no room for, before anything of it is read.

        Raises:
            TooLargeError: It is larger than one file may be, or than what is left of the quota.
            StorageError: The disk has no room for it.
        """
        if length_bytes > MAX_FILE_BYTES:
            message = f"{name}: {_mb(length_bytes)} is larger than the limit of {_mb(MAX_FILE_BYTES)}"
            raise TooLargeError(message)
        under_way = [one for one in self._files.every() if one.state == "open"]
        if len(under_way) >= _MOST_UNDER_WAY:
            message = f"{len(under_way)} uploads are under way already; finish or cancel some"
            raise TooLargeError(message)
        promised_bytes = sum(one.length_bytes - self._files.offset_bytes(one) for one in under_way)
        self._check_quota(length_bytes, promised_bytes, name)
        self._settings.home.mkdir(parents=True, exist_ok=True)
        room_bytes = self._free_bytes(self._settings.home) - promised_bytes - SPARE_BYTES
        if length_bytes > room_bytes:
            message = (
                f"{name}: {_mb(length_bytes)}, but the server's disk has room for {_mb(max(0, room_bytes))} "
                "only; free some space there and send it again"
            )
            raise StorageError(message)

    def _check_quota(self, length_bytes: int, promised_bytes: int, name: str) -> None:
        quota_bytes = self._settings.media_quota_bytes
        if quota_bytes is None:
            return
        used_bytes = promised_bytes + sum(
            _size_bytes(folder) for folder in (self._settings.media_path, self._settings.uploads_path)
        )
        if used_bytes + length_bytes > quota_bytes:
            message = (
                f"{name}: {_mb(length_bytes)}, but {_mb(used_bytes)} of {_mb(quota_bytes)} for pictures and "
                "videos are used; remove detectors that nobody needs, or raise ELFOWL_MEDIA_QUOTA_BYTES"
            )
            raise TooLargeError(message)

    def find(self, upload_id: str, account_id: str | None) -> UploadNote:
        """Return an upload of whoever asks.

        Raises:
            NotFoundError: There is none, or it is of somebody else.
        """
        found = self._files.find(upload_id)
        is_over = self._clock.now_s() >= found.touched + KEEP_S
        if found.account_id != account_id or is_over:
            message = f"there is no upload {upload_id!r}; it expired, or was cancelled: begin again"
            raise NotFoundError(message)
        with self._database.read() as session:
            scope.refuse_foreign(session, Detector, found.detector_id)
        return found

    def under_way(self, detector_id: str, account_id: str | None) -> list[UploadNote]:
        """Return what whoever asks began to send to a detector and did not finish, oldest first."""
        now_s = self._clock.now_s()
        return [
            one
            for one in self._files.every()
            if (one.detector_id, one.account_id) == (detector_id, account_id)
            and one.state in {"open", "here"}
            and now_s < one.touched + KEEP_S
        ]

    def offset_bytes(self, upload: UploadNote) -> int:
        """Return how much has come."""
        return self._files.offset_bytes(upload)

    def take_turn(self, upload: UploadNote) -> int:
        """Return the right to write to an upload; whoever had it has it no more."""
        self._turns[upload.id] = turn = next(self._count)
        return turn

    def append(self, upload: UploadNote, turn: int, offset_bytes: int, data: bytes) -> int:
        """Write what came next, and return how much has come now.

        Raises:
            ConflictError: It is another's turn, or another amount has come.
            TooLargeError: It would be more than was announced.
            StorageError: The disk is full; what fitted counts.
        """
        if offset_bytes + len(data) > upload.length_bytes:
            message = f"{upload.name}: more comes than the {upload.length_bytes} bytes that were announced"
            raise TooLargeError(message)
        with self._at(upload, turn) as newest:
            if newest.state != "open" or newest.target is not None:
                message = f"{upload.name} is here already"
                raise ConflictError(message)
            return self._files.append(upload, offset_bytes, data)

    def cut(self, upload: UploadNote, turn: int, offset_bytes: int) -> None:
        """Forget what came after an offset.

        Raises:
            ConflictError: It is another's turn.
        """
        with self._at(upload, turn):
            self._files.cut(upload, offset_bytes)

    def settle(self, upload: UploadNote) -> UploadNote:
        """Have what came on the disk, and once it is all, take the file in; returns what became of it.

        Raises:
            StorageError: The disk is full; the upload stays as it is.
        """
        with self._lock_of(upload):
            newest = self._files.find(upload.id)
            if newest.state != "open":
                return newest
            if newest.target is None and self._files.offset_bytes(newest) > 0:
                self._files.sync(newest)
            newest = self._kept(newest, touched=self._clock.now_s())
            if self._files.offset_bytes(newest) < newest.length_bytes:
                return newest
            return self._take_in(newest)

    def _take_in(self, upload: UploadNote) -> UploadNote:
        try:
            stored = self._moved(upload)
            if upload.purpose == "import":
                return self._kept(upload, state="here", target=None)
            staged = look_at_upload(stored, upload.name)
            with self._database.write(durable=True) as session:
                row = note(
                    session, self._settings, staged, upload.detector_id, self._clock.now_s(), upload.role
                )
            return self._kept(self._files.find(upload.id), state="done", media_id=row.id)
        except StorageError:
            raise
        except ElfowlError as error:
            self._files.path_of(upload).unlink(missing_ok=True)
            return self._kept(self._files.find(upload.id), state="refused", reason=str(error))

    def _moved(self, upload: UploadNote) -> StoredFile:
        """Let the bytes be a file of the media folder; noted first: a kill meanwhile loses nothing."""
        source = self._files.path_of(upload)
        if upload.purpose == "import":
            return StoredFile(source, "", upload.length_bytes)
        if upload.target is None:
            digest = sha256_of(source)
            if upload.sha256 not in {None, digest}:
                message = f"{upload.name}: other bytes came than were sent; send it again"
                raise InputError(message)
            path = new_media_path(self._settings, upload.detector_id, upload.name)
            target = str(path.relative_to(self._settings.home))
            upload = self._kept(upload, sha256=digest, target=target)
        path = self._settings.home / str(upload.target)
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if source.is_file():
                source.replace(path)
        if not path.is_file():
            message = f"{upload.name}: the server stopped while it took it in; send it again"
            raise InputError(message)
        return StoredFile(path, str(upload.sha256), upload.length_bytes)

    def note_job(self, upload: UploadNote, job: str) -> UploadNote:
        """Note the job that makes the playback copy of what came."""
        return self._kept(upload, job=job)

    def cancel(self, upload: UploadNote) -> None:
        """Forget an upload and what came of it; a medium that it became stays."""
        self.take_turn(upload)
        with self._lock_of(upload):
            self._files.remove(upload)
        self._forget(upload)

    def hand_over(self, uploads: list[UploadNote], folder: Path) -> None:
        """Let whole files be found in a folder, each in a folder of its own, under their own names.

        Raises:
            ConflictError: One has not come yet, or is no part of an import.
        """
        for number, upload in enumerate(uploads):
            if upload.state != "here":
                message = f"{upload.name} has not come whole, or is not meant for an import"
                raise ConflictError(message)
            path = folder / f"{number:05d}" / upload.name
            with storing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                # The upload stays until the import is accepted: whatever happens here, nothing is lost.
                _link_or_copy(self._files.path_of(upload), path)

    def sweep(self) -> list[UploadNote]:
        """Forget what expired, and take in what came whole before the server stopped; returns the latter."""
        now_s, taken_in = self._clock.now_s(), []
        for upload in self._files.every():
            if now_s >= upload.touched + KEEP_S:
                self.cancel(upload)
            elif upload.state == "open" and self._files.offset_bytes(upload) == upload.length_bytes:
                taken_in.append(self.settle(upload))
        return taken_in

    @contextmanager
    def _at(self, upload: UploadNote, turn: int) -> Iterator[UploadNote]:
        with self._lock_of(upload):
            if self._turns.get(upload.id) != turn:
                message = f"another connection goes on with {upload.name}"
                raise ConflictError(message)
            yield self._files.find(upload.id)

    def _kept(self, upload: UploadNote, **changes: object) -> UploadNote:
        changed = upload.model_copy(update=changes)
        self._files.keep(changed)
        return changed

    def _lock_of(self, upload: UploadNote) -> threading.Lock:
        return self._locks.setdefault(upload.id, threading.Lock())

    def _forget(self, upload: UploadNote) -> None:
        self._turns.pop(upload.id, None)
        self._locks.pop(upload.id, None)


def is_preparing(database: Database, upload: UploadNote) -> bool:
    """Return whether a video that came in still needs its playback copy."""
    if upload.media_id is None:
        return False
    with database.read() as session:
        return media.find(session, upload.media_id).state == "preparing"


def _link_or_copy(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError:
        # Some file systems know no links.
        shutil.copyfile(source, path)


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _mb(length_bytes: float) -> str:
    return f"{length_bytes / 1e6:.0f} MB"
