"""The folder `targets/` of an update repository: bundles under names that hold their digests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloud.errors import InputError
from cloud.fleet.description import BundleDescription
from cloud.store.files import StoredFile, copy_file, sha256_of, storing
from edge_agent.wire.sync import BundleTarget
from edge_agent.wire.target import HeadUpdateTarget


@dataclass(frozen=True)
class TargetFiles:
    """What devices download; nothing here is believed without the metadata that names it."""

    folder: Path

    def any_there(self) -> bool:
        """Return whether a bundle lies here."""
        return any(self.folder.rglob("*.zip"))

    def path_of(self, path: str, sha256: str) -> Path:
        """Return where the bytes of a target lie."""
        folder, _, name = path.rpartition("/")
        return self.folder / folder / f"{sha256}.{name}"

    def store_bundle(self, bundle_zip: Path, description: BundleDescription, release: int) -> BundleTarget:
        """Keep a bundle; return its place.

        Raises:
            InputError: The file cannot be read, or changed meanwhile.
            StorageError: The disk is full or read-only.
        """
        path = description.target_path(release)
        stored = self._store(bundle_zip, path)
        return BundleTarget(
            path=path,
            sha256=stored.sha256,
            length_bytes=stored.length_bytes,
            release=release,
            detector_id=description.detector_id,
            detector_name=description.detector_name,
            detector_version=description.detector_version,
        )

    def store_head_update(
        self, update_zip: Path, bundle_path: str, description: BundleDescription
    ) -> HeadUpdateTarget:
        """Keep the heads of a bundle alone; return their place.

        Raises:
            InputError: The bundle has no trunk of its own, or the file changed meanwhile.
            StorageError: The disk is full or read-only.
        """
        if description.trunk_sha256 is None:
            message = f"{bundle_path} has no trunk of its own, so there is no head update for it"
            raise InputError(message)
        path = f"{bundle_path.removesuffix('.zip')}-heads.zip"
        stored = self._store(update_zip, path)
        return HeadUpdateTarget(
            path=path,
            sha256=stored.sha256,
            length_bytes=stored.length_bytes,
            trunk_sha256=description.trunk_sha256,
        )

    def remove(self, path: str, sha256: str) -> None:
        """Remove the bytes of a target; nothing happens when they are not there.

        Raises:
            StorageError: The disk is read-only.
        """
        with storing(self.folder):
            self.path_of(path, sha256).unlink(missing_ok=True)

    def _store(self, source: Path, path: str) -> StoredFile:
        with storing(source):
            sha256 = sha256_of(source)
        stored = copy_file(source, self.path_of(path, sha256))
        if stored.sha256 != sha256:
            stored.path.unlink(missing_ok=True)
            message = f"{source} changed while it was published; publish it again"
            raise InputError(message)
        return stored
