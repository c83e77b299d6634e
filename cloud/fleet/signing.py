"""Builds and signs the metadata documents of the update repository; touches no disk."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from securesystemslib.signer import CryptoSigner, Key, SSlibKey
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

from cloud.errors import InputError
from cloud.fleet.keys import ROOT, SNAPSHOT, TARGETS, TIMESTAMP

BIN_PREFIX: Final = "bin"
BIN_BITS: Final = 8  # 256 bins; a bin's file exists only once a bundle was published into it
RELEASE_FIELD: Final = "x-elfowl-release"
CREATED_FIELD: Final = "x-elfowl-created"

_DAY_S = 86_400.0


@dataclass(frozen=True)
class Lifetimes:
    """How long a signature holds; what is renewed by hand only must hold for long."""

    root_s: float = 5 * 365 * _DAY_S
    targets_s: float = 365 * _DAY_S
    snapshot_s: float = 30 * _DAY_S
    timestamp_s: float = 7 * _DAY_S


def expiry(now_s: float, lifetime_s: float) -> dt.datetime:
    """Return the moment, whole seconds UTC, at which a signature made now stops to hold."""
    return dt.datetime.fromtimestamp(int(now_s + lifetime_s), tz=dt.UTC)


def first_root(keys: dict[str, SSlibKey], expires: dt.datetime) -> Root:
    """Return root version 1: one key a role, threshold 1."""
    names = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)
    return Root(
        version=1,
        expires=expires,
        keys={keys[name].keyid: keys[name] for name in names},
        roles={name: Role([keys[name].keyid], 1) for name in names},
        consistent_snapshot=True,
    )


def first_targets(bin_key: SSlibKey, expires: dt.datetime) -> Targets:
    """Return the top-level targets: no bundle of its own, everything delegated to hash bins."""
    return Targets(
        version=1,
        expires=expires,
        delegations=bins_of(bin_key),
        unrecognized_fields={RELEASE_FIELD: 0},
    )


def bins_of(key: SSlibKey) -> Delegations:
    """Return the delegation of every bundle to hash bins, which one key signs."""
    bins = SuccinctRoles([key.keyid], 1, BIN_BITS, BIN_PREFIX)
    return Delegations({key.keyid: key}, succinct_roles=bins)


def refuse_unsigned(old: Root, new: Root, data: bytes) -> None:
    """Refuse a root that devices would refuse.

    Raises:
        InputError: Too few keys of the old root, or of the new one, signed it.
    """
    metadata: Metadata[Root] = Metadata.from_bytes(data)
    for whose, root in (("the present", old), ("the new", new)):
        try:
            root.verify_delegate(ROOT, metadata.signed_bytes, metadata.signatures)
        except UnsignedMetadataError:
            needed = root.roles[ROOT].threshold
            message = f"{needed} keys of {whose} root have to sign; name more of them with --root-key FILE"
            raise InputError(message) from None


def bin_keys(targets: Targets) -> dict[str, Key]:
    """Return the keys that may sign bins, by their ids."""
    return {} if targets.delegations is None else dict(targets.delegations.keys)


def bin_of(targets: Targets, path: str) -> str:
    """Return the name of the bin that answers for a target path.

    Raises:
        ValueError: The metadata delegates to no bins.
    """
    if targets.delegations is None or targets.delegations.succinct_roles is None:
        message = "targets metadata delegates to no hash bins"
        raise ValueError(message)
    return targets.delegations.succinct_roles.get_role_for_target(path)


def target_entry(path: str, length_bytes: int, sha256: str, custom: dict[str, Any]) -> TargetFile:
    """Return the signed entry of one bundle."""
    return TargetFile(length_bytes, {"sha256": sha256}, path, {"custom": custom})


def snapshot_of(version: int, expires: dt.datetime, meta: dict[str, MetaFile]) -> Snapshot:
    """Return the list of all current metadata files."""
    return Snapshot(version=version, expires=expires, meta=meta)


def timestamp_of(version: int, expires: dt.datetime, snapshot: MetaFile, now_s: float) -> Timestamp:
    """Return the short-lived word that `snapshot` is the newest; it carries the time of its making."""
    return Timestamp(
        version=version,
        expires=expires,
        snapshot_meta=snapshot,
        unrecognized_fields={CREATED_FIELD: int(now_s)},
    )


def sign(signed: Root | Targets | Snapshot | Timestamp, *signers: CryptoSigner) -> bytes:
    """Return the file of a document, signed by each of `signers`."""
    metadata: Metadata[Any] = Metadata(signed)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def meta_file(version: int, data: bytes) -> MetaFile:
    """Return how a metadata file is listed: its version, length and digest."""
    return MetaFile.from_data(version, data, ["sha256"])
