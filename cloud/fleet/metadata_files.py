"""Reads the current state of the update repository: that to which `timestamp.json` leads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from cloud.fleet import signing
from cloud.fleet.keys import TARGETS
from edge_agent.errors import StorageError

TIMESTAMP_FILE: Final = "timestamp.json"

_Kind = TypeVar("_Kind", bound=Signed)


@dataclass(frozen=True)
class State:
    """The top-level documents that are current."""

    root: Root
    targets: Targets
    snapshot: Snapshot
    timestamp: Timestamp

    @property
    def release(self) -> int:
        """Return the release counter: the number of publications so far."""
        return int(self.targets.unrecognized_fields.get(signing.RELEASE_FIELD, 0))

    @property
    def target_roles(self) -> tuple[str, ...]:
        """Return `targets` and every bin that holds, or held, a bundle."""
        return tuple(name.removesuffix(".json") for name in self.snapshot.meta)

    def version_of(self, role: str) -> int:
        """Return the current version of a role in the snapshot; 0 when it was never written."""
        listed = self.snapshot.meta.get(f"{role}.json")
        return 0 if listed is None else int(listed.version)


class MetadataFiles:
    """The folder `metadata/` of an update repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self) -> State:
        """Return what is current.

        Raises:
            StorageError: There is no repository yet, or it is damaged.
        """
        root = self._parse(f"{self._root_versions()[-1]}.root.json", Root)
        timestamp = self._parse(TIMESTAMP_FILE, Timestamp)
        snapshot = self._parse(f"{timestamp.snapshot_meta.version}.snapshot.json", Snapshot)
        targets = self._parse(f"{snapshot.meta['targets.json'].version}.targets.json", Targets)
        return State(root, targets, snapshot, timestamp)

    def load_targets(self, state: State, role: str) -> Targets:
        """Return `targets` or a bin; an empty one when nothing was ever published into that bin.

        Raises:
            StorageError: The repository is damaged.
        """
        if role == TARGETS:
            return state.targets
        version = state.version_of(role)
        return self._parse(f"{version}.{role}.json", Targets) if version else Targets()

    def roots(self) -> tuple[bytes, ...]:
        """Return every root file, oldest first.

        Raises:
            StorageError: There is no repository yet, or it cannot be read.
        """
        return tuple(self.read(f"{version}.root.json") for version in self._root_versions())

    def is_signed(self, name: str, role: str, by: Root | Targets) -> bool:
        """Return whether a file carries the signatures that `by` asks of its role.

        Raises:
            StorageError: It cannot be read.
        """
        metadata: Metadata[Any] = Metadata.from_bytes(self.read(name))
        try:
            by.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError:
            return False
        return True

    def read(self, name: str) -> bytes:
        """Return one file.

        Raises:
            StorageError: It cannot be read.
        """
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            message = f"{self.folder / name}: {error.strerror}; restore the folder from its backup"
            raise StorageError(message) from error

    def _root_versions(self) -> list[int]:
        versions = sorted(int(path.name.partition(".")[0]) for path in self.folder.glob("*.root.json"))
        if not versions:
            message = f"there is no update repository in {self.folder}; start the cloud once to make it"
            raise StorageError(message)
        return versions

    def _parse(self, name: str, kind: type[_Kind]) -> _Kind:
        data = self.read(name)
        try:
            signed = Metadata.from_bytes(data).signed
        except (DeserializationError, RepositoryError, ValueError) as error:
            message = f"{self.folder / name} is damaged; restore the folder from its backup"
            raise StorageError(message) from error
        if not isinstance(signed, kind):
            message = f"{self.folder / name} holds another role; restore the folder from its backup"
            raise StorageError(message)
        return signed
