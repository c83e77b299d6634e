"""Bundles: opened from a folder or a zip, every byte checked against the manifest, and written as a zip.

A bundle comes from outside. Nothing in it is used before its digest is checked, nothing is unpacked to disk,
no file may be there that the manifest does not list, and sizes are limited before anything is read.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edge_agent.errors import ArtifactError, ConfigError, StorageError
from edge_agent.runtime.bundle_sources import BundleSource, FolderSource, ZipSource
from edge_agent.wire.manifest import Manifest

MANIFEST_FILE = "manifest.json"

_MAX_FILES = 500
MAX_TOTAL_BYTES = 256 * 1024 * 1024
_MAX_MANIFEST_BYTES = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files were all checked when it was opened.

    `sha256` is the digest of the zip's bytes, or none for a folder.
    """

    manifest: Manifest
    path: Path
    sha256: str | None
    source: BundleSource

    def read(self, name: str) -> bytes:
        """Return one listed file, checked again: the disk may have changed since.

        Raises:
            ArtifactError: The file is not listed, or its digest is wrong.
        """
        digest = self.manifest.files.get(name)
        if digest is None:
            message = f"bundle {self.path.name}: the manifest does not list {name!r}"
            raise ArtifactError(message)
        content = self.source.read(name, MAX_TOTAL_BYTES)
        if hashlib.sha256(content).hexdigest() != digest:
            message = f"bundle {self.path.name}: {name} is damaged (its SHA-256 is not the listed one)"
            raise ArtifactError(message)
        return content


def open_bundle(path: Path) -> Bundle:
    """Open a bundle and check every file in it.

    Args:
        path: A folder with `manifest.json`, or a zip of one.

    Raises:
        ConfigError: There is nothing at `path`.
        ArtifactError: The bundle is damaged, incomplete, too large, or holds files that it does not list.
        StorageError: It cannot be read.
    """
    if not path.exists():
        message = f"no bundle at {path}: give a bundle's .zip file or folder"
        raise ConfigError(message)
    try:
        source: BundleSource = FolderSource(path) if path.is_dir() else ZipSource(path)
        _check_sizes(path, source)
        manifest = _read_manifest(path, source)
        _check_names(path, source, manifest)
        bundle = Bundle(manifest, path, None if path.is_dir() else bundle_sha256(path), source)
        for name in sorted(manifest.files):
            bundle.read(name)
    except OSError as error:
        message = f"bundle {path} cannot be read: {error.strerror or error}"
        raise StorageError(message) from error
    return bundle


def bundle_sha256(path: Path) -> str:
    """Return the SHA-256 of a zip's bytes in lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def digest_files(folder: Path) -> dict[str, str]:
    """Return what `Manifest.files` must hold: the SHA-256 of every file of the folder but the manifest."""
    source = FolderSource(folder)
    names = sorted(name for name in source.sizes() if name != MANIFEST_FILE)
    return {name: hashlib.sha256(source.read(name, MAX_TOTAL_BYTES)).hexdigest() for name in names}


def write_bundle_zip(folder: Path, out: Path) -> str:
    """Write a bundle's folder as a zip: the same files give the same bytes.

    Args:
        folder: A complete bundle; it is checked first.
        out: The zip to write; replaced in one step.

    Returns:
        The zip's SHA-256.

    Raises:
        ArtifactError: The folder is not a sound bundle.
    """
    bundle = open_bundle(folder)
    part = out.with_name(f".{out.name}.part")
    with zipfile.ZipFile(part, "w") as archive:
        # The manifest comes first, so that a reader of a stream meets it before anything else.
        add_to_zip(archive, MANIFEST_FILE, bundle.source.read(MANIFEST_FILE, _MAX_MANIFEST_BYTES))
        for name in sorted(bundle.manifest.files):
            add_to_zip(archive, name, bundle.read(name))
    part.replace(out)
    return bundle_sha256(out)


def add_to_zip(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a file so that the same bytes are packed in the same way, whenever it is done."""
    info = zipfile.ZipInfo(name, _ZIP_EPOCH)
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    archive.writestr(info, content, zipfile.ZIP_DEFLATED, 9)


def _check_sizes(path: Path, source: BundleSource) -> None:
    sizes = source.sizes()
    total_bytes = sum(sizes.values())
    if len(sizes) > _MAX_FILES or total_bytes > MAX_TOTAL_BYTES:
        message = (
            f"bundle {path.name} has {len(sizes)} files of {total_bytes} bytes; "
            f"at most {_MAX_FILES} files of {MAX_TOTAL_BYTES} bytes are allowed"
        )
        raise ArtifactError(message)


def _read_manifest(path: Path, source: BundleSource) -> Manifest:
    if MANIFEST_FILE not in source.sizes():
        message = f"{path.name} is no bundle: it has no {MANIFEST_FILE}"
        raise ArtifactError(message)
    return parse_manifest(path, source.read(MANIFEST_FILE, _MAX_MANIFEST_BYTES))


def parse_manifest(path: Path, text: bytes) -> Manifest:
    """Return the manifest of the bundle at `path`.

    Raises:
        ArtifactError: It is not JSON, or does not match the model.
    """
    try:
        return Manifest.from_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        message = f"bundle {path.name}: {MANIFEST_FILE} is wrong at {where}: {first['msg']}"
        raise ArtifactError(message) from error
    except ValueError as error:
        message = f"bundle {path.name}: {MANIFEST_FILE} is wrong: {error}"
        raise ArtifactError(message) from error


def _check_names(path: Path, source: BundleSource, manifest: Manifest) -> None:
    found = source.sizes().keys() - {MANIFEST_FILE}
    if extra := sorted(found - manifest.files.keys()):
        message = f"bundle {path.name} holds a file that its manifest does not list: {extra[0]!r}"
        raise ArtifactError(message)
    if missing := sorted(manifest.files.keys() - found):
        message = f"bundle {path.name} is incomplete: {missing[0]!r} is missing"
        raise ArtifactError(message)
