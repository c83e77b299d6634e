"""New heads for a trunk that is there already: small zips that become whole bundles on the device.

A head update is a zip with the new bundle's manifest and those of its files that the base bundle lacks. The
rest is taken from the base as it lies there, without being packed anew, so that the same base and update give
the same bytes everywhere: the whole bundle has one digest, whether it was fetched or put together.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import ArtifactError
from edge_agent.runtime.bundle import (
    MANIFEST_FILE,
    MAX_TOTAL_BYTES,
    add_to_zip,
    open_bundle,
    parse_manifest,
)
from edge_agent.runtime.bundle_sources import ZipSource
from edge_agent.wire.manifest import Manifest

_VERSION, _UNIX = 20, 3
_TIME, _DATE = 0, 33  # 1980-01-01, as `write_bundle_zip` writes it
_ATTRIBUTES = 0o100644 << 16
_MANIFEST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class _Packed:
    """One file of a zip, as it is packed there."""

    name: bytes
    method: int
    crc: int
    size: int
    data: bytes


def trunk_sha256(manifest: Manifest) -> str | None:
    """Return the digest of a bundle's trunk, or none when its network is in one piece."""
    return None if manifest.trunk_map is None else manifest.files[manifest.model_file]


def write_head_update(folder: Path, base: Path, out: Path) -> None:
    """Write the head update that makes a new bundle out of a base.

    Args:
        folder: The new bundle, complete.
        base: The zip of a bundle with the same trunk.
        out: The update to write; replaced in one step.

    Raises:
        ArtifactError: The folder or the base is not sound, or their trunks differ.
    """
    new, old = open_bundle(folder), open_bundle(base)
    if trunk_sha256(new.manifest) is None or trunk_sha256(new.manifest) != trunk_sha256(old.manifest):
        message = f"{base.name} does not have the trunk of {new.manifest.name}: send the whole bundle"
        raise ArtifactError(message)
    part = out.with_name(f".{out.name}.part")
    with zipfile.ZipFile(part, "w") as archive:
        add_to_zip(archive, MANIFEST_FILE, new.source.read(MANIFEST_FILE, _MANIFEST_BYTES))
        for name, digest in sorted(new.manifest.files.items()):
            if old.manifest.files.get(name) != digest:
                add_to_zip(archive, name, new.read(name))
    part.replace(out)


def compose(base: Path, update: Path, out: Path) -> None:
    """Put base and head update together; the result is to be checked by its digest before it is believed.

    Args:
        base: The zip of the bundle that is there.
        update: The head update.
        out: The zip to write.

    Raises:
        ArtifactError: One of them is damaged, or the base lacks a file that the update counts on.
        OSError: The disk is full or read-only.
    """
    fresh = ZipSource(update)
    if MANIFEST_FILE not in fresh.sizes():
        message = f"{update.name} is no head update: it has no {MANIFEST_FILE}"
        raise ArtifactError(message)
    manifest = parse_manifest(update, fresh.read(MANIFEST_FILE, _MANIFEST_BYTES))
    old = open_bundle(base)
    names = (MANIFEST_FILE, *sorted(manifest.files))
    for name in set(names) - fresh.sizes().keys():
        if old.manifest.files.get(name) != manifest.files[name]:
            message = f"the bundle here lacks {name!r}, which the head update counts on"
            raise ArtifactError(message)
    sources = [update if name in fresh.sizes() else base for name in names]
    _write_zip(out, (_read_packed(source, name) for source, name in zip(sources, names, strict=True)))


def _read_packed(path: Path, name: str) -> _Packed:
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            info = archive.getinfo(name)
            if info.compress_size > MAX_TOTAL_BYTES:
                message = f"{name} in {path.name} is over its limit of {MAX_TOTAL_BYTES} bytes"
                raise ArtifactError(message)
            file.seek(info.header_offset)
            name_bytes, extra_bytes = struct.unpack("<26x2H", file.read(30))
            file.seek(name_bytes + extra_bytes, 1)
            data = file.read(info.compress_size)
    except (zipfile.BadZipFile, struct.error, KeyError) as error:
        message = f"{path.name}: {name} is damaged: {error}"
        raise ArtifactError(message) from error
    return _Packed(name.encode("ascii"), info.compress_type, info.CRC, info.file_size, data)


def _write_zip(out: Path, files: Iterable[_Packed]) -> None:
    directory, offset_bytes, count = b"", 0, 0
    with out.open("wb") as archive:
        for one in files:
            about = (0, one.method, _TIME, _DATE, one.crc, len(one.data), one.size, len(one.name), 0)
            local = struct.pack("<4s5H3L2H", b"PK\3\4", _VERSION, *about) + one.name
            directory += struct.pack(
                "<4s4B4H3L5H2L",
                *(b"PK\1\2", _VERSION, _UNIX, _VERSION, 0),
                *about,
                *(0, 0, 0, _ATTRIBUTES, offset_bytes),
            )
            directory += one.name
            archive.write(local + one.data)
            offset_bytes, count = offset_bytes + len(local) + len(one.data), count + 1
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), offset_bytes, 0)
        archive.write(directory + end)
