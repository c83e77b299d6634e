"""Gets a bundle here: its new heads alone when the trunk is here already, else whole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from tuf.api.exceptions import DownloadHTTPError

from edge_agent.errors import ArtifactError, LinkError
from edge_agent.runtime.head_update import compose
from edge_agent.update.disk import sha256_of, storing
from edge_agent.update.slots import Slots
from edge_agent.update.tuf_client import SignedTarget
from edge_agent.wire.target import HeadUpdateTarget

_LOGGER = logging.getLogger(__name__)


class BundleRepository(Protocol):
    """Where signed bundles come from: `UpdateClient`."""

    def find(self, path: str) -> SignedTarget:
        """Return what is signed about a bundle."""
        ...

    def download(self, target: SignedTarget) -> Path:
        """Fetch a bundle, verified."""
        ...


def obtain(repository: BundleRepository, slots: Slots, signed: SignedTarget) -> tuple[Path, str | None]:
    """Fetch a bundle, or only its heads; whatever goes wrong with those, the whole bundle is fetched.

    Returns:
        The zip with its signed digest, and why the heads alone would not do, when they were offered.

    Raises:
        ArtifactError: The bundle's bytes are not the signed ones.
        LinkError: The repository cannot be reached, or the download was cut off.
        StorageError: The disk is full or read-only.
    """
    offer = signed.custom.head_update
    if offer is None:
        return repository.download(signed), None
    try:
        return _compose(repository, slots, signed, offer), None
    except (ArtifactError, LinkError) as error:
        if isinstance(error, LinkError) and not isinstance(error.__cause__, DownloadHTTPError):
            raise  # the line is bad: a larger file would not come through either
        _LOGGER.warning("%s: the whole bundle is fetched: %s", signed.path, error)
        note = f"the whole bundle was fetched, not its heads alone: {error}"
    return repository.download(signed), note


def _compose(
    repository: BundleRepository, slots: Slots, signed: SignedTarget, offer: HeadUpdateTarget
) -> Path:
    base = slots.with_trunk(offer.trunk_sha256)
    if base is None:
        message = f"no bundle here has its trunk {offer.trunk_sha256[:12]}"
        raise ArtifactError(message)
    update = repository.download(SignedTarget(offer.path, offer.sha256, offer.length_bytes, signed.custom))
    whole = update.with_suffix(".whole.part")
    with storing(whole):
        compose(base.path, update, whole)
        update.unlink(missing_ok=True)
        if sha256_of(whole) != signed.sha256:
            whole.unlink()
            message = "base and head update do not make the bundle that was signed"
            raise ArtifactError(message)
    _LOGGER.info("%s: only its heads were fetched, %d bytes", signed.path, offer.length_bytes)
    return whole
