"""Exports a signed kit: one file that installs a bundle on a device without any cloud.

A kit proves who made the bundle and that it is whole. It cannot prove that there is no newer one: that
needs the repository's timestamp, so a kit guards neither against freezing nor against a withdrawal after
its making. A device can open it for the first time until the signatures in it expire (after half a year at
least, a year at most).
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from cloud.fleet.tuf_repository import SignedFiles, UpdateRepository
from cloud.store.files import storing
from edge_agent.wire.sync import BundleTarget
from edge_agent.wire.target import KIT_BUNDLE, KIT_INDEX, KIT_METADATA, KitIndex

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can hold: the same kit is the same bytes


def export_kit(repository: UpdateRepository, target: BundleTarget, out_file: Path) -> Path:
    """Write the kit of a published bundle; an existing file is replaced once the new one is whole.

    Args:
        repository: Where the bundle is published.
        target: The bundle.
        out_file: The kit to be written.

    Raises:
        NotFoundError: The bundle is not published.
        StorageError: The disk is full or read-only, or the repository is damaged.
    """
    files = repository.signed_files(target)
    partial = out_file.with_name(f".{out_file.name}.part")
    with storing(out_file):
        out_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_kit(partial, KitIndex(target=target, bin_role=files.bin_role), files)
            partial.replace(out_file)
        finally:
            partial.unlink(missing_ok=True)
    return out_file


def _write_kit(path: Path, index: KitIndex, files: SignedFiles) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as kit:
        _add(kit, KIT_INDEX, index.to_json().encode())
        for root in files.roots:
            _add(kit, f"{KIT_METADATA}/{json.loads(root)['signed']['version']}.root.json", root)
        _add(kit, f"{KIT_METADATA}/targets.json", files.targets)
        _add(kit, f"{KIT_METADATA}/{files.bin_role}.json", files.bin)
        _add(kit, KIT_BUNDLE, files.bundle_path.read_bytes())


def _add(kit: zipfile.ZipFile, name: str, data: bytes) -> None:
    kit.writestr(zipfile.ZipInfo(name, _EPOCH), data)
