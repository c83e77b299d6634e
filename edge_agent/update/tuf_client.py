"""Asks the signed update repository for a bundle, by the client workflow of The Update Framework.

`tuf.ngclient` verifies. Added here: a floor under the clock (a clock at 1970 would hide that somebody
withholds new metadata), files synced to the disk, and errors split into bad data (`ArtifactError`) and bad
luck (`LinkError`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, TargetFile, Timestamp
from tuf.ngclient import Updater

from edge_agent.clock import Clock
from edge_agent.errors import ArtifactError, ElfowlError, LinkError, StorageError
from edge_agent.update.disk import Disk, storing, write_whole
from edge_agent.update.fetcher import ResumableFetcher
from edge_agent.wire.target import TargetCustom

_LOGGER = logging.getLogger(__name__)

BUILD_TIME_S: Final = 1_767_225_600.0  # 2026-01-01: no correct clock that runs this code shows less
_CREATED_FIELD: Final = "x-elfowl-created"
_FLOOR_FILE: Final = "time_floor"
_LENGTH_LIMIT_BYTES: Final = 512 << 20

_BAD_DATA: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ExpiredMetadataError, "has expired: it was not renewed, or somebody holds newer metadata back"),
    (BadVersionNumberError, "is older than what was seen before"),
    (UnsignedMetadataError, "is not signed by the trusted keys"),
    (LengthOrHashMismatchError, "does not have its signed length and digest"),
    (DownloadLengthMismatchError, "is longer than allowed"),
    (RepositoryError, "is not sound"),
)


@dataclass(frozen=True)
class RepositorySource:
    """Where the repository is, and the root that this device trusts."""

    metadata_url: str
    targets_url: str
    root_json: str

    @property
    def id(self) -> str:
        """Return a short name of the trust: its cache and its floors are apart from those of others."""
        return hashlib.sha256(self.root_json.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class SignedTarget:
    """What is signed about a bundle."""

    path: str
    sha256: str
    length_bytes: int
    custom: TargetCustom


class UpdateClient:
    """Finds and fetches signed bundles; one at a time for each state folder.

    Args:
        source: Where the repository is, and whom to trust.
        state_path: Where metadata is cached; a folder of the source's own is made in it.
        fetcher: Speaks HTTP.
        clock: Where the time comes from.
        disk: Keeps the time floor.
    """

    def __init__(
        self,
        source: RepositorySource,
        state_path: Path,
        fetcher: ResumableFetcher,
        clock: Clock,
        disk: Disk,
    ) -> None:
        self._source = source
        self._folder = state_path / source.id
        self._fetcher = fetcher
        self._clock = clock
        self._disk = disk

    def find(self, path: str) -> SignedTarget:
        """Refresh the metadata and return what is signed about a bundle.

        Raises:
            ArtifactError: The metadata is expired, old, unsigned or damaged, or does not list the bundle.
            LinkError: The repository cannot be reached.
            StorageError: The disk is full or read-only.
        """
        metadata_path = self._folder / "metadata"
        with _clear_errors("the update metadata"), storing(metadata_path):
            metadata_path.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(metadata_path)
            before = _times_of(metadata_path)
            info = self._verified_info(metadata_path, path)
            self._sync(metadata_path, before)
        self._raise_time_floor(metadata_path)
        if info is None:
            message = f"{path} is not among the signed bundles; it was withdrawn, or never published"
            raise ArtifactError(message)
        return signed_target(info)

    def download(self, target: SignedTarget) -> Path:
        """Fetch a bundle and verify it; an earlier, cut-off download is gone on with.

        Returns:
            Where it lies; its reader moves it.

        Raises:
            ArtifactError: Its bytes are not the signed ones; they are thrown away.
            LinkError: It was cut off or too slow; what came is kept for the next call.
            StorageError: The disk is full or read-only.
        """
        folder, _, name = target.path.rpartition("/")
        url = f"{self._source.targets_url.rstrip('/')}/{folder}/{target.sha256}.{name}"
        resumed = self._fetcher.part_of(url).exists()
        with _clear_errors(target.path), storing(self._folder):
            part = self._fetcher.fetch_file(url, target.length_bytes)
            if resumed and not _is_whole(part, target):
                # Perhaps a power cut damaged the part; only fresh bytes can be blamed on the publisher.
                part.unlink()
                part = self._fetcher.fetch_file(url, target.length_bytes)
            if not _is_whole(part, target):
                part.unlink()
                message = f"{url}: wrong digest"
                raise LengthOrHashMismatchError(message)
        return part

    def _verified_info(self, metadata_path: Path, path: str) -> TargetFile | None:
        updater = Updater(
            str(metadata_path),
            self._source.metadata_url,
            fetcher=self._fetcher,
            bootstrap=self._source.root_json.encode(),
        )
        now_s = max(self._clock.now_s(), self._time_floor_s())
        # There is no public way to say what time it is; a test fails when this stops to work.
        updater._trusted_set.reference_time = dt.datetime.fromtimestamp(now_s, tz=dt.UTC)  # noqa: SLF001
        updater.refresh()
        return updater.get_targetinfo(path)

    def _sync(self, metadata_path: Path, before: dict[Path, int]) -> None:
        changed = [file for file, time_ns in _times_of(metadata_path).items() if before.get(file) != time_ns]
        for file in changed:
            self._disk.sync(file)
        for folder in {file.parent for file in changed}:
            self._disk.sync(folder)

    def _time_floor_s(self) -> float:
        try:
            return max(BUILD_TIME_S, float((self._folder / _FLOOR_FILE).read_text()))
        except FileNotFoundError:
            return BUILD_TIME_S
        except ValueError:
            _LOGGER.warning("%s is damaged; starting again", self._folder / _FLOOR_FILE)
            return BUILD_TIME_S

    def _raise_time_floor(self, metadata_path: Path) -> None:
        """Remember when the newest timestamp was signed: it cannot be earlier than that."""
        timestamp = Metadata[Timestamp].from_file(str(metadata_path / "timestamp.json")).signed
        created_s = timestamp.unrecognized_fields.get(_CREATED_FIELD)
        if isinstance(created_s, int) and self._time_floor_s() < created_s < timestamp.expires.timestamp():
            write_whole(self._disk, self._folder / _FLOOR_FILE, str(created_s).encode())


def signed_target(info: TargetFile) -> SignedTarget:
    """Return what a signed entry says.

    Raises:
        ArtifactError: It lacks a digest, says nothing about the device it is for, or is unreasonably long.
    """
    sha256 = info.hashes.get("sha256", "")
    if len(sha256) != 64 or not 0 < info.length <= _LENGTH_LIMIT_BYTES:
        message = f"{info.path}: its signed entry has no sha256, or a length of {info.length} bytes"
        raise ArtifactError(message)
    try:
        custom = TargetCustom.model_validate(info.custom)
    except ValidationError as error:
        message = f"{info.path}: its signed entry does not say for which device it is"
        raise ArtifactError(message) from error
    return SignedTarget(info.path, sha256, info.length, custom)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a power cut left of files that python-tuf was about to write; else they pile up."""
    for leftover in folder.glob(f"{tempfile.gettempprefix()}*"):
        leftover.unlink(missing_ok=True)


def _times_of(folder: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*.json") if not file.is_symlink()}


def _is_whole(part: Path, target: SignedTarget) -> bool:
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return part.stat().st_size == target.length_bytes and digest == target.sha256


@contextmanager
def _clear_errors(what: str) -> Iterator[None]:
    try:
        yield
    except ElfowlError as error:
        raise _as_link_error(error) from error.__cause__
    except (RepositoryError, DownloadLengthMismatchError) as error:
        verdict = next(text for kind, text in _BAD_DATA if isinstance(error, kind))
        message = f"{what} {verdict} ({' '.join(str(error).split())[:200]})"
        raise ArtifactError(message) from error
    except DownloadError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, ConnectionError | TimeoutError):
            message = f"{what}: {cause.strerror or cause}"
            raise StorageError(message) from error
        message = f"cannot fetch {what}: {' '.join(str(error).split())[:300]}"
        raise LinkError(message) from error


def _as_link_error(error: ElfowlError) -> ElfowlError:
    """Return a link error for a storage error that was a broken connection."""
    if isinstance(error.__cause__, ConnectionError | TimeoutError):
        return LinkError(str(error))
    return error
