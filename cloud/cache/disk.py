"""Models on the local disk: files that are named by their digests and checked whenever they are read.

Files are written without fsync: one that a power cut left short or empty is found out when it is read, and
fetched again. Each has a name that was never used before, so that removing an old one never hits a new one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from cloud.cache.book import Book
from cloud.cache.figures import TierFigures
from cloud.cache.key import ModelKey, ModelRef
from cloud.cache.origin import DamagedModelError, check
from cloud.cache.tier import Rise, Source, Tier
from cloud.errors import BusyError
from cloud.store.files import storing
from edge_agent.errors import ConfigError, StorageError

_LOG = logging.getLogger(__name__)
_NAME = re.compile(r"([0-9a-f]{64})\.[0-9a-f]{8}")


class _DamagedFileError(DamagedModelError):
    """The file, not the object store, has other bytes than its digest names."""


class Disk:
    """Gives the bytes of models from files, and from below where there is no good file."""

    def __init__(self, folder: Path, book: Book, below: Source[bytes]) -> None:
        """Take up what a former process left in the folder, which must be ours alone (`claim_folder`).

        Raises:
            StorageError: The folder cannot be read.
        """
        self._folder, self._below = folder, below
        self._tier: Tier[bytes, Path] = Tier("disk", book, below, Rise(len, self._write, _remove))
        self._lock = threading.Lock()
        self._verified = self._corrupt = 0
        self._restore()

    @contextmanager
    def use(self, ref: ModelRef) -> Iterator[bytes]:
        """Give the bytes of a model, checked.

        A damaged file is reported, removed and fetched again. A disk that is full or gone is no reason not to
        answer: the bytes then come from below.
        """
        try:
            data = self._read(ref)
        except (StorageError, _DamagedFileError, BusyError, ConfigError) as error:
            _LOG.warning("the disk of the model cache is passed by: %s", error)
            with self._below.use(ref) as data:
                yield data
            return
        yield data

    def figures(self) -> TierFigures:
        """Return what happened since the start."""
        with self._lock:
            found = {"verified": self._verified, "corrupt": self._corrupt}
        return self._tier.figures().model_copy(update=found)

    def _read(self, ref: ModelRef) -> bytes:
        try:
            return self._read_once(ref)
        except _DamagedFileError as error:
            with self._lock:
                self._corrupt += 1
            _LOG.error("%s; fetching it again", error)
            return self._read_once(ref)

    def _read_once(self, ref: ModelRef) -> bytes:
        with self._tier.use(ref) as path:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                data = b""
            except OSError as error:
                message = f"{path}: {error.strerror}"
                raise StorageError(message) from error
            try:
                check(ref, data, str(path))
            except DamagedModelError as error:
                self._tier.discard(ref)
                _remove(ref.key, path)
                raise _DamagedFileError(str(error)) from error
        with self._lock:
            self._verified += 1
        return data

    def _write(self, ref: ModelRef, data: bytes) -> Path:
        path = self._folder / ref.scope / ref.sha256[:2] / f"{ref.sha256}.{secrets.token_hex(4)}"
        partial = path.with_name(path.name + ".part")
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(data)
                partial.replace(path)
            except OSError:
                partial.unlink(missing_ok=True)
                raise
        return path

    def _restore(self) -> None:
        with storing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for path, size_bytes in _newest_first(self._folder):
                match = _NAME.fullmatch(path.name)
                key = ModelKey(path.parent.parent.name, match[1]) if match else None
                if key is None or not self._tier.restore(key, path, size_bytes):
                    path.unlink(missing_ok=True)


def claim_folder(root: Path) -> Path:
    """Return a folder under `root` that no other process has, the first one that is free.

    It is ours until this process ends, however it ends.

    Raises:
        StorageError: The disk is full or read-only.
    """
    with storing(root):
        for number in count():
            folder = root / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(root / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return folder
    raise AssertionError


def _newest_first(folder: Path) -> list[tuple[Path, int]]:
    found = [
        (facts.st_mtime_ns, path, facts.st_size)
        for path in folder.glob("*/*/*")
        if path.is_file() and (facts := path.stat())
    ]
    return [(path, size_bytes) for _, path, size_bytes in sorted(found, reverse=True)]


def _remove(_key: ModelKey, path: Path) -> None:
    # One that cannot be removed is removed at the next start.
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _LOG.warning("%s stays until the next start: %s", path, error.strerror)
