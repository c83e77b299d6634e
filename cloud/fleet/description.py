"""What a bundle says about itself, as it will be signed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cloud.errors import InputError
from edge_agent.errors import ArtifactError, ConfigError
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.head_update import trunk_sha256
from edge_agent.wire.target import TargetCustom


@dataclass(frozen=True)
class BundleDescription:
    """For which devices a bundle is, and which detector it carries."""

    profile: str
    min_agent_version: str
    detector_id: str
    detector_name: str
    detector_version: int
    trunk_sha256: str | None = None

    def target_path(self, release: int) -> str:
        """Return the name under which a release is published; one name is never used twice."""
        name = _plain(self.detector_name) or "detector"
        return f"bundles/{name}-v{self.detector_version}-{_plain(self.profile)}-r{release}.zip"

    def custom(self, release: int) -> TargetCustom:
        """Return what is signed beside length and digest."""
        return TargetCustom(
            profile=self.profile,
            min_agent_version=self.min_agent_version,
            release=release,
            detector_id=self.detector_id,
            detector_name=self.detector_name,
            detector_version=self.detector_version,
        )


def describe(bundle_zip: Path) -> BundleDescription:
    """Return what the manifest inside a bundle says; every file in it is checked first.

    Raises:
        InputError: It is not a sound bundle.
        StorageError: It cannot be read.
    """
    try:
        manifest = open_bundle(bundle_zip).manifest
    except (ArtifactError, ConfigError) as error:
        message = f"{error}; make a bundle with elfowl-compress"
        raise InputError(message) from error
    detector = manifest.heads[0].detector
    return BundleDescription(
        profile=manifest.profile,
        min_agent_version=manifest.min_agent_version,
        detector_id=detector.id,
        detector_name=detector.name,
        detector_version=detector.version,
        trunk_sha256=trunk_sha256(manifest),
    )


def _plain(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-")[:40]
