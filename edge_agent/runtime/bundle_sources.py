"""Where a bundle's bytes lie: a folder or a zip. Links, tricks and over-long files are refused here."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from edge_agent.errors import ArtifactError


class BundleSource(Protocol):
    """Files by name with forward slashes."""

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file."""
        ...

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return a file's bytes.

        Raises:
            ArtifactError: It is longer than `limit_bytes`, damaged or gone.
        """
        ...


class FolderSource:
    """A folder; symbolic links and special files in it are refused."""

    def __init__(self, root: Path) -> None:
        """Look the folder through.

        Raises:
            ArtifactError: Something in it is neither a plain file nor a folder.
        """
        self._root = root
        self._sizes = {path.relative_to(root).as_posix(): path.lstat().st_size for path in _plain_files(root)}

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file."""
        return dict(self._sizes)

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return a file's bytes; never follows a link in the last place."""
        if name not in self._sizes:
            message = f"bundle {self._root.name} has no file {name!r}"
            raise ArtifactError(message)
        descriptor = os.open(self._root / name, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            return _limited(file.read(limit_bytes + 1), name, limit_bytes)


class ZipSource:
    """A zip file; encrypted, doubled and linked entries are refused."""

    def __init__(self, path: Path) -> None:
        """Read the zip's directory.

        Raises:
            ArtifactError: It is no zip, or holds an entry that a bundle never has.
        """
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            message = f"{path.name} is no bundle: {error}"
            raise ArtifactError(message) from error
        for entry in entries:
            _refuse_odd(entry, path)
        self._sizes = {entry.filename: entry.file_size for entry in entries}
        if len(self._sizes) != len(entries):
            message = f"bundle {path.name} holds two files of the same name"
            raise ArtifactError(message)

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file, as the zip's directory states it."""
        return dict(self._sizes)

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return a file's bytes; reading stops at the stated size, however much the data would inflate to."""
        if name not in self._sizes:
            message = f"bundle {self._path.name} has no file {name!r}"
            raise ArtifactError(message)
        limit_bytes = min(limit_bytes, self._sizes[name])
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(name) as file:
                return _limited(file.read(limit_bytes + 1), name, limit_bytes)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            KeyError,
        ) as error:
            message = f"bundle {self._path.name}: {name} is damaged: {error}"
            raise ArtifactError(message) from error


def _plain_files(root: Path) -> list[Path]:
    files = []
    for folder, folder_names, file_names in os.walk(root):
        for name in (*folder_names, *file_names):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                message = f"bundle {root.name} holds {name!r}, which is a link or a special file"
                raise ArtifactError(message)
            if stat.S_ISREG(mode):
                files.append(path)
    return files


def _refuse_odd(entry: zipfile.ZipInfo, path: Path) -> None:
    if not 0 <= entry.header_offset < path.stat().st_size:
        # A damaged directory; the zip library would fail to seek there as if the disk were at fault.
        message = f"bundle {path.name} is damaged: {entry.filename!r} lies outside of the file"
        raise ArtifactError(message)
    encrypted = entry.flag_bits & 0x1
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if encrypted or kind not in {0, stat.S_IFREG}:
        message = f"bundle {path.name} holds {entry.filename!r}, which is encrypted, a link or a special file"
        raise ArtifactError(message)


def _limited(content: bytes, name: str, limit_bytes: int) -> bytes:
    if len(content) > limit_bytes:
        message = f"{name} in the bundle is over its limit of {limit_bytes} bytes"
        raise ArtifactError(message)
    return content
