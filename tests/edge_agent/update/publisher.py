"""A publisher with a real signed repository in a folder, and bundles to publish."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from cloud.fleet.tuf_repository import UpdateRepository
from edge_agent.clock import Clock
from edge_agent.runtime.bundle import write_bundle_zip
from edge_agent.runtime.head_update import compose, write_head_update
from edge_agent.wire.sync import BundleTarget
from tests.edge_agent.runtime.tiny_bundle import split_into_parts, write_tiny_bundle

PROFILE = "x86-64"
AGENT_VERSION = "0.1.0"
BASE_URL = "http://cloud.test/tuf"


def make_bundle_zip(folder: Path, model: bytes, **changes: Any) -> Path:  # noqa: ANN401 - fields of a manifest
    """Write a small bundle; `changes` replace fields of its manifest."""
    manifest = write_tiny_bundle(folder, model)
    (folder / "manifest.json").write_text(manifest.model_copy(update=changes).to_json())
    out = folder.with_suffix(".zip")
    write_bundle_zip(folder, out)
    return out


def make_split_folder(folder: Path, trunk: bytes, head: bytes) -> Path:
    """Write the folder of a bundle whose network is a trunk and one head."""
    write_tiny_bundle(folder, trunk)
    split_into_parts(folder, [head])
    return folder


class Publisher:
    """Publishes small bundles, each with bytes of its own."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.tuf_path = folder / "tuf"
        self.repository = UpdateRepository(self.tuf_path, folder / "keys", clock)
        self.repository.init()
        self._count = 0

    @property
    def metadata_path(self) -> Path:
        return self.tuf_path / "metadata"

    def publish(self, model: bytes = b"", **changes: Any) -> BundleTarget:  # noqa: ANN401 - fields of a manifest
        """Publish a bundle; `changes` replace fields of its manifest."""
        self._count += 1
        unique = model or random.Random(self._count).randbytes(20_000)
        return self.repository.publish(
            make_bundle_zip(self.folder / f"bundle{self._count}", unique, **changes)
        )

    def publish_split(self, trunk: bytes, base: BundleTarget | None = None) -> BundleTarget:
        """Publish a bundle in parts with a head of its own; with a base a head update is offered too."""
        self._count += 1
        head = random.Random(self._count).randbytes(2_000)
        folder = make_split_folder(self.folder / f"bundle{self._count}", trunk, head)
        whole = folder.with_suffix(".zip")
        if base is None:
            write_bundle_zip(folder, whole)
            return self.repository.publish(whole)
        update = folder.with_suffix(".heads.zip")
        write_head_update(folder, self.bundle_path(base), update)
        compose(self.bundle_path(base), update, whole)
        return self.repository.publish(whole, head_update=update)

    def bundle_path(self, target: BundleTarget) -> Path:
        """Return where the bytes of a published bundle are."""
        folder, _, name = target.path.rpartition("/")
        return self.tuf_path / "targets" / folder / f"{target.sha256}.{name}"
