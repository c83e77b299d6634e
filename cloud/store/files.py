"""Files that are there whole or not at all: temporary file, fsync, rename."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cloud.errors import InputError
from edge_agent.errors import StorageError

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class StoredFile:
    """A file that lies on the disk."""

    path: Path
    sha256: str
    length_bytes: int


def write_file(path: Path, data: bytes) -> StoredFile:
    """Write `data` to `path` at once; what lay there before stays until all is on the disk.

    Raises:
        StorageError: The disk is full or read-only.
    """
    return write_stream(path, (data,), limit_bytes=len(data))


def write_stream(path: Path, chunks: Iterable[bytes], *, limit_bytes: int) -> StoredFile:
    """Write what comes to `path`, never holding more than one chunk in memory.

    Args:
        path: Where; its folder is made.
        chunks: The content in parts.
        limit_bytes: More than this is refused.

    Raises:
        InputError: The content is larger than `limit_bytes`; nothing is left on the disk.
        StorageError: The disk is full or read-only; nothing is left on the disk.
    """
    with storing(path), _temporary_beside(path) as temporary:
        digest, length = _copy(chunks, temporary, limit_bytes)
    return StoredFile(path, digest, length)


def copy_file(source: Path, path: Path) -> StoredFile:
    """Copy a file of the user to `path`.

    Raises:
        InputError: The source cannot be read.
        StorageError: The disk is full or read-only.
    """
    try:
        with source.open("rb") as stream:
            chunks = iter(lambda: stream.read(_CHUNK_BYTES), b"")
            return write_stream(path, chunks, limit_bytes=source.stat().st_size)
    except OSError as error:
        message = f"{source}: {error.strerror or error}"
        raise InputError(message) from error


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it; nothing happens when it is not there."""
    shutil.rmtree(folder, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn errors of the disk into one clear line.

    Raises:
        StorageError: An OSError came out of the block.
    """
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: "no space left on the disk; free some, nothing stored before is lost",
            errno.EDQUOT: "over the disk quota; free some space, nothing stored before is lost",
            errno.EROFS: "the disk is read-only",
        }.get(error.errno or 0, error.strerror or str(error))
        message = f"{path}: {advice}"
        raise StorageError(message) from error


@contextmanager
def _temporary_beside(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _copy(chunks: Iterable[bytes], stream: BinaryIO, limit_bytes: int) -> tuple[str, int]:
    digest, length = hashlib.sha256(), 0
    for chunk in chunks:
        length += len(chunk)
        if length > limit_bytes:
            message = f"the file is larger than the limit of {limit_bytes / 1e6:.0f} MB"
            raise InputError(message)
        digest.update(chunk)
        stream.write(chunk)
    return digest.hexdigest(), length


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
