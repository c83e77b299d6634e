"""Files, folders and zip archives of strangers into one flat list; what is no good is told, file by file.

Nothing of an archive decides where it is written: entries go under numbers of our own into a work folder,
read in parts, and no further than the limits below.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from cloud.datasets.label_files import LABEL_SUFFIXES
from cloud.datasets.label_set import MEDIA_SUFFIXES, Refusal
from cloud.errors import InputError

MAX_ENTRIES = 200_000
MAX_TOTAL_BYTES = 64_000_000_000
MAX_RATIO = 200
"""An entry that unpacks to more than this times its packed size is made to fill disks."""

_RATIO_FREE_BYTES = 10_000_000
_CHUNK_BYTES = 1 << 20
_KNOWN = MEDIA_SUFFIXES | LABEL_SUFFIXES
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", ".ds_store"})
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


@dataclass
class Gathered:
    """Files by the name that people know, and what was refused."""

    media: dict[str, Path] = field(default_factory=dict)
    labels: dict[str, Path] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, name: str, path: Path) -> None:
        """Take a file in; the second of a name is refused."""
        known = self.media if PurePosixPath(name).suffix.lower() in MEDIA_SUFFIXES else self.labels
        if name in known:
            self.refusals.append(Refusal(name, "comes twice; rename one"))
        else:
            known[name] = path

    def refuse(self, name: str, reason: str) -> None:
        """Note a file that does not go in."""
        self.refusals.append(Refusal(name, reason))


def gather(paths: Sequence[Path], work: Path) -> Gathered:
    """Return all files that the user names: files, whole folders, zip archives.

    Args:
        paths: What the user gave.
        work: A folder to unpack into; the caller removes it.

    Raises:
        InputError: A path is not there, or an archive cannot be opened at all.
    """
    gathered = Gathered()
    for path in paths:
        if path.is_dir():
            _take_folder(path, gathered)
        elif not path.is_file():
            message = f"{path}: no such file or folder"
            raise InputError(message)
        elif zipfile.is_zipfile(path):
            _take_zip(path, work, gathered)
        else:
            _take_file(path.name, path, gathered)
    return gathered


def _take_file(name: str, path: Path, gathered: Gathered) -> None:
    reason = _reason_against(name)
    if reason:
        gathered.refuse(name, reason)
    elif path.stat().st_size == 0 and path.suffix.lower() != ".txt":
        gathered.refuse(name, "is empty")
    else:
        gathered.add(name, path)


def _take_folder(folder: Path, gathered: Gathered) -> None:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _is_hidden(name):
            _take_file(name, path, gathered)


def _reason_against(name: str) -> str | None:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".zip":
        return "an archive within an archive or folder; unpack it first"
    if suffix not in _KNOWN:
        return "neither a picture, a video nor labels that are known"
    return None


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    is_ours = any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts)
    return is_ours or parts[-1].lower() in _SYSTEM_FILES


def _take_zip(path: Path, work: Path, gathered: Gathered) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MAX_ENTRIES:
                message = f"{path.name}: has {len(entries)} files, over {MAX_ENTRIES}; split it"
                raise InputError(message)
            _take_entries(archive, entries, _Unpacking(path.name, work), gathered)
    except _BAD_ZIP as error:
        message = f"{path.name}: cannot be read as a zip archive ({error})"
        raise InputError(message) from error


@dataclass
class _Unpacking:
    archive_name: str
    work: Path
    total_bytes: int = 0
    count: int = 0

    def new_path(self, suffix: str) -> Path:
        self.count += 1
        folder = self.work / self.archive_name
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{self.count:06d}{suffix}"


def _take_entries(
    archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], unpacking: _Unpacking, gathered: Gathered
) -> None:
    hidden = 0
    names: set[str] = set()
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if _is_hidden(name):
            hidden += 1
            continue
        reason = _reason_against_entry(entry, name) or ("comes twice; rename one" if name in names else None)
        names.add(name)
        if reason is None:
            reason = _unpack(archive, entry, name, unpacking, gathered)
        if reason is not None:
            gathered.refuse(_printable(name), reason)
    if hidden:
        gathered.refuse(unpacking.archive_name, f"{hidden} hidden files of an operating system left out")


def _reason_against_entry(entry: zipfile.ZipInfo, name: str) -> str | None:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in name:
        return "its name points out of the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link, not a file"
    if entry.flag_bits & 1:
        return "is encrypted; pack it without a password"
    return _reason_against(name)


def _unpack(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, unpacking: _Unpacking, gathered: Gathered
) -> str | None:
    """Write one entry into the work folder; return why not, where that is so."""
    suffix = PurePosixPath(name).suffix.lower()
    path = unpacking.new_path(suffix)
    limit = max(_RATIO_FREE_BYTES, entry.compress_size * MAX_RATIO)
    written = 0
    try:
        with archive.open(entry) as source, path.open("wb") as target:
            for chunk in _chunks(source):
                written += len(chunk)
                if written > limit:
                    path.unlink()
                    return f"unpacks to more than {MAX_RATIO} times its size; that is no picture or video"
                if unpacking.total_bytes + written > MAX_TOTAL_BYTES:
                    path.unlink()
                    return f"the archive unpacks to more than {MAX_TOTAL_BYTES // 10**9} GB; split it"
                target.write(chunk)
    except _BAD_ZIP as error:
        path.unlink(missing_ok=True)
        return f"is damaged in the archive ({error})"
    unpacking.total_bytes += written
    if not written and suffix != ".txt":
        path.unlink()
        return "is empty"
    gathered.add(name, path)
    return None


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK_BYTES):
        yield chunk


def _printable(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name)[:200]
