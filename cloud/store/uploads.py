"""Uploads under way: each a folder of the home folder, with a note of what it is and the bytes that came.

How much has come is the length of the file of bytes, and nothing else says so: a server that is killed loses
only what it had not written yet, and what it had written is never written twice.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cloud.errors import ConflictError, NotFoundError
from cloud.store.files import remove_tree, storing, write_file

_BYTES = "bytes"
_NOTE = "upload.json"

UploadState = Literal["open", "here", "done", "refused"]
Purpose = Literal["media", "import"]


class UploadNote(BaseModel):
    """What is known of an upload; times are UTC seconds since 1970.

    `open` until all has come and was looked at; then `done` with a `media_id`, `here` when it waits for an
    import, or `refused` for the `reason`. `modified_ms` is what the sender says of its file, so that it can
    be found again. `target` is where the file goes, relative to the home folder, once all has come.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    detector_id: str
    name: str
    length_bytes: int
    purpose: Purpose = "media"
    role: Literal["teach", "test"] = "teach"
    modified_ms: int | None = None
    account_id: str | None = None
    created: float
    touched: float
    state: UploadState = "open"
    sha256: str | None = None
    target: str | None = None
    media_id: str | None = None
    job: str | None = None
    reason: str | None = None


class UploadFiles:
    """All uploads of one home folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, note: UploadNote) -> None:
        """Write the note of an upload, whole or not at all.

        Raises:
            StorageError: The disk is full or read-only.
        """
        write_file(self._folder / note.id / _NOTE, note.model_dump_json().encode())

    def find(self, upload_id: str) -> UploadNote:
        """Return the note of an upload.

        Raises:
            NotFoundError: There is none, or none any more.
        """
        # Ids come from outside: only such as we make ourselves may become a path.
        is_ours = upload_id.startswith("upl_") and upload_id[4:].isalnum() and upload_id.isascii()
        try:
            if is_ours:
                return UploadNote.model_validate_json((self._folder / upload_id / _NOTE).read_bytes())
        except (OSError, ValidationError):
            pass
        message = f"there is no upload {upload_id!r}; it expired, or was cancelled: begin again"
        raise NotFoundError(message)

    def every(self) -> list[UploadNote]:
        """Return the notes of all uploads, oldest first."""
        found = []
        for path in self._folder.glob(f"upl_*/{_NOTE}"):
            try:
                found.append(UploadNote.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError):
                continue
        return sorted(found, key=lambda note: (note.created, note.id))

    def path_of(self, note: UploadNote) -> Path:
        """Return the file of the bytes that came."""
        return self._folder / note.id / _BYTES

    def offset_bytes(self, note: UploadNote) -> int:
        """Return how much has come."""
        if note.state != "open" or note.target is not None:
            return note.length_bytes
        try:
            return self.path_of(note).stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, note: UploadNote, offset_bytes: int, data: bytes) -> int:
        """Write what came next, and return how much has come now.

        Raises:
            ConflictError: Another amount has come than the sender believes.
            StorageError: The disk is full; what fitted is kept and counts.
        """
        path = self.path_of(note)
        with storing(path), path.open("ab", buffering=0) as stream:
            here_bytes = stream.tell()
            if here_bytes != offset_bytes:
                message = f"{here_bytes} bytes are here, not {offset_bytes}: go on from there"
                raise ConflictError(message)
            left = memoryview(data)
            while left:
                left = left[stream.write(left) :]
        return offset_bytes + len(data)

    def cut(self, note: UploadNote, offset_bytes: int) -> None:
        """Forget what came after an offset."""
        with storing(self.path_of(note)):
            os.truncate(self.path_of(note), offset_bytes)

    def sync(self, note: UploadNote) -> None:
        """Return once all that came is on the disk.

        Raises:
            StorageError: The disk failed.
        """
        with storing(self.path_of(note)), self.path_of(note).open("ab") as stream:
            os.fsync(stream.fileno())

    def remove(self, note: UploadNote) -> None:
        """Forget an upload and what came of it."""
        remove_tree(self._folder / note.id)
