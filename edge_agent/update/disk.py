"""The few steps on a disk that installing is made of, so that tests can cut the power after each of them."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from edge_agent.errors import StorageError

_ADVICE = {
    errno.ENOSPC: "no space left; free some, what runs now is kept",
    errno.EDQUOT: "over the quota; free some space, what runs now is kept",
    errno.EROFS: "the disk is read-only",
}


class Disk(Protocol):
    """Steps that either happen or do not."""

    def write(self, path: Path, data: bytes) -> None:
        """Write a file, readable by its owner only, and wait until its bytes are on the disk."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Give a file the name of another, which vanishes; both are in one file system."""
        ...

    def sync(self, path: Path) -> None:
        """Wait until a file's bytes, or a folder's names, are on the disk."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens when it is not there."""
        ...


class RealDisk:
    """The machine's own disk."""

    def write(self, path: Path, data: bytes) -> None:
        """Write a file, readable by its owner only, and wait until its bytes are on the disk."""
        make_folder(path.parent)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Give a file the name of another, which vanishes; both are in one file system."""
        make_folder(target.parent)
        source.replace(target)

    def sync(self, path: Path) -> None:
        """Wait until a file's bytes, or a folder's names, are on the disk."""
        sync_path(path)

    def remove(self, path: Path) -> None:
        """Remove a file; nothing happens when it is not there."""
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those around it, so that a power cut does not take them away again with all in them.

    Raises:
        OSError: The disk is full or read-only.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk.

    Raises:
        OSError: The disk failed.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(disk: Disk, path: Path, data: bytes) -> None:
    """Write a file so that after a power cut it is there as it was, or as it should be.

    Raises:
        StorageError: The disk is full or read-only; the file is as it was.
    """
    new = path.with_name(f".{path.name}.new")
    with storing(path):
        disk.write(new, data)
        disk.replace(new, path)
        disk.sync(path.parent)


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the disk says into one clear line.

    Raises:
        StorageError: An OSError came out of the block.
    """
    try:
        yield
    except OSError as error:
        reason = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        message = f"{path}: {reason}"
        raise StorageError(message) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
