"""Opens a signed kit: one file with a bundle and the proof of who made it, for a camera that has no cloud.

The proof is checked against a root of trust that the operator pinned. Without a cloud nothing can prove
that there is no newer bundle; and once opened, a kit stays good on this device when its signatures expire,
for a camera must run on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from edge_agent.clock import Clock
from edge_agent.errors import ArtifactError, ConfigError
from edge_agent.update.disk import RealDisk, sha256_of, storing
from edge_agent.update.tuf_client import BUILD_TIME_S, SignedTarget, signed_target
from edge_agent.wire.target import KIT_BUNDLE, KIT_INDEX, KIT_METADATA, KitIndex

_METADATA_LIMIT_BYTES: Final = 5_000_000
_ROOTS_LIMIT: Final = 256
_ROOT_NAME: Final = re.compile(rf"^{KIT_METADATA}/(\d{{1,6}})\.root\.json$")
_CHUNK_BYTES: Final = 1 << 20
# What a zip that somebody tampered with can make the library raise, beside what we raise ourselves.
_DAMAGED: Final = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    RepositoryError,
)


@dataclass(frozen=True)
class _Proof:
    """What the metadata in a kit proves, and until when."""

    target: SignedTarget
    expires: dt.datetime


def open_kit(
    kit_file: Path, root_json: str, *, state_path: Path, clock: Clock, profile: str | None = None
) -> Path:
    """Verify a kit and return the bundle in it.

    Args:
        kit_file: The kit.
        root_json: The root metadata that the operator trusts, of the same repository.
        state_path: Where the bundle is put: `<sha256>.zip`; it is found there again by the next call.
        clock: Where the time comes from.
        profile: The device's profile; a kit for another one is refused. None: not checked.

    Raises:
        ConfigError: There is no such file, the root is damaged, or the kit is for another profile.
        ArtifactError: The kit is damaged, not signed by the trusted keys, or expired before it was ever
            opened here.
        StorageError: The disk is full or read-only.
    """
    root = _pinned_root(root_json)
    try:
        with zipfile.ZipFile(kit_file) as kit:
            proof = _prove(kit, root)
            bundle_path = state_path / f"{proof.target.sha256}.zip"
            if not (bundle_path.exists() and sha256_of(bundle_path) == proof.target.sha256):
                _refuse_expired(proof, clock)
                _unpack(kit, proof.target, bundle_path)
    except FileNotFoundError:
        message = f"there is no kit at {kit_file}"
        raise ConfigError(message) from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:200]
        message = f"kit {kit_file.name} is damaged or not signed by the trusted keys: {reason}"
        raise ArtifactError(message) from error
    if profile is not None and proof.target.custom.profile != profile:
        message = (
            f"kit {kit_file.name} is for profile {proof.target.custom.profile!r}, this device is {profile!r}"
        )
        raise ConfigError(message)
    return bundle_path


def _pinned_root(root_json: str) -> Root:
    try:
        metadata = Metadata[Root].from_bytes(root_json.encode())
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError, AttributeError) as error:
        message = "the root of trust in the configuration is damaged; export it again from the cloud"
        raise ConfigError(message) from error
    return metadata.signed


def _prove(kit: zipfile.ZipFile, pinned: Root) -> _Proof:
    index = KitIndex.from_json(_read(kit, KIT_INDEX))
    root = _newest_root(kit, pinned)
    targets = _signed_by(root, "targets", _read(kit, f"{KIT_METADATA}/targets.json"))
    if targets.delegations is None or targets.delegations.succinct_roles is None:
        message = "its targets metadata delegates to no bins"
        raise ValueError(message)
    role = targets.delegations.succinct_roles.get_role_for_target(index.target.path)
    bin_targets = _signed_by(targets, role, _read(kit, f"{KIT_METADATA}/{role}.json"))
    info: TargetFile | None = bin_targets.targets.get(index.target.path)
    if info is None:
        message = f"{index.target.path} is not among the signed bundles"
        raise ValueError(message)
    return _Proof(signed_target(info), min(root.expires, targets.expires, bin_targets.expires))


def _newest_root(kit: zipfile.ZipFile, pinned: Root) -> Root:
    """Walk from the pinned root to the newest one; each is signed by the one before it and by itself."""
    found = {int(match[1]): match[0] for name in kit.namelist() if (match := _ROOT_NAME.match(name))}
    root = pinned
    while (name := found.get(root.version + 1)) is not None and root.version < pinned.version + _ROOTS_LIMIT:
        metadata = Metadata[Root].from_bytes(_read(kit, name))
        for judge in (root, metadata.signed):
            judge.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
        if metadata.signed.version != root.version + 1:
            message = f"{name} holds version {metadata.signed.version}"
            raise ValueError(message)
        root = metadata.signed
    return root


def _signed_by(delegator: Root | Targets, role: str, data: bytes) -> Targets:
    metadata: Metadata[Any] = Metadata.from_bytes(data)
    delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    if not isinstance(metadata.signed, Targets):
        message = f"{role} is not targets metadata"
        raise TypeError(message)
    return metadata.signed


def _refuse_expired(proof: _Proof, clock: Clock) -> None:
    now_s = max(clock.now_s(), BUILD_TIME_S)
    if proof.expires.timestamp() <= now_s:
        message = f"its signatures expired on {proof.expires:%Y-%m-%d}; export the kit again"
        raise ValueError(message)


def _unpack(kit: zipfile.ZipFile, target: SignedTarget, bundle_path: Path) -> None:
    if kit.getinfo(KIT_BUNDLE).file_size != target.length_bytes:
        message = f"the bundle in it does not have its signed length of {target.length_bytes} bytes"
        raise ValueError(message)
    disk, part = RealDisk(), bundle_path.with_suffix(".part")
    with storing(bundle_path):
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            with kit.open(KIT_BUNDLE) as source, part.open("wb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK_BYTES)
            if hashlib.sha256(part.read_bytes()).hexdigest() != target.sha256:
                message = "the bundle in it does not have its signed digest"
                raise ValueError(message)
            disk.sync(part)
            disk.replace(part, bundle_path)
            disk.sync(bundle_path.parent)
        finally:
            part.unlink(missing_ok=True)


def _read(kit: zipfile.ZipFile, name: str) -> bytes:
    if kit.getinfo(name).file_size > _METADATA_LIMIT_BYTES:
        message = f"{name} is over {_METADATA_LIMIT_BYTES} bytes"
        raise ValueError(message)
    return kit.read(name)
