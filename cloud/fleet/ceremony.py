"""Changes the keys of the update repository, so that every device can follow, from the oldest root on.

Each change is safe against being cut off: the next key lies beside the present one until the repository names
it, and the same command finishes what was begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Role, Root

from cloud.errors import InputError
from cloud.fleet.keys import (
    BINS,
    ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    SigningKeys,
    make_key_file,
    signer_from,
)
from cloud.fleet.tuf_repository import UpdateRepository
from edge_agent.errors import ConfigError

ROTATED: Final = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP, BINS)
_MOST_ROOT_KEYS = 9


@dataclass(frozen=True)
class RoleStatus:
    """One role: how many of which keys have to sign, whether its key lies here, until when it holds.

    `expires_s` is UTC seconds since 1970; none for the bins, which each have their own.
    """

    role: str
    threshold: int
    keyids: tuple[str, ...]
    is_here: bool
    version: int | None = None
    expires_s: float | None = None


class Ceremony:
    """What the owner of the keys can do.

    Args:
        repository: It is begun already.
        keys_path: Where the signing keys are, in `tuf/`.
    """

    def __init__(self, repository: UpdateRepository, keys_path: Path) -> None:
        self._repository = repository
        self._keys = SigningKeys(keys_path)

    def status(self) -> list[RoleStatus]:
        """Return how the roles stand.

        Raises:
            StorageError: The repository is damaged.
        """
        root, expiries = self._repository.root(), self._repository.expiries()
        found = [
            RoleStatus(role, one.threshold, tuple(one.keyids), self._keys.holds(role), *expiries[role])
            for role, one in root.roles.items()
            if role in expiries
        ]
        return [*found, RoleStatus(BINS, 1, self._repository.bin_keyids(), self._keys.holds(BINS))]

    def rotate(self, role: str, root_keys: Sequence[Path] = ()) -> None:
        """Replace the key of a role by a new one, made here; the old one is believed no more.

        Args:
            role: One of `ROTATED`.
            root_keys: Files of root keys that are kept elsewhere; not needed for the bins.

        Raises:
            InputError: There is no such role, or too few root keys were given.
            ConfigError: A key is missing or not fit to be used.
            StorageError: The disk is full or read-only.
        """
        if role not in ROLES:
            message = f"there is no role {role!r}; take one of: {', '.join(ROTATED)}"
            raise InputError(message)
        if role == ROOT and self._repository.root().roles[ROOT].threshold > 1:
            message = "several keys sign the root; make new ones with: elfowl-cloud keys init --root-keys N"
            raise InputError(message)
        new = self._keys.prepare(role)
        if role == BINS:
            self._repository.change_bin_key(new.public_key)
        elif new.public_key.keyid not in self._repository.root().roles[role].keyids:
            signers = [*self._root_signers(root_keys), *([new] if role == ROOT else [])]
            self._repository.change_root(lambda root: _give(root, role, [new], 1), signers)
        self._keys.adopt(role)
        self._repository.refresh_timestamp()

    def share_root(
        self, folder: Path, count: int, threshold: int, root_keys: Sequence[Path] = ()
    ) -> list[Path]:
        """Let several new keys sign the root, so many of which have to agree; none of them stays here.

        Args:
            folder: Where the new keys are written, to be carried away one by one.
            count: How many keys there shall be.
            threshold: How many of them have to sign.
            root_keys: Files of present root keys that are kept elsewhere.

        Returns:
            The files of the new keys.

        Raises:
            InputError: The numbers make no sense, or too few present root keys were given.
            StorageError: The files cannot be written; the root is as it was.
        """
        if not 1 <= threshold <= count <= _MOST_ROOT_KEYS:
            message = (
                f"{threshold} of {count} keys: the first must not be larger, both from 1 to {_MOST_ROOT_KEYS}"
            )
            raise InputError(message)
        present = self._root_signers(root_keys)
        paths = [folder / f"root-{number}.pem" for number in range(1, count + 1)]
        new = [make_key_file(path) for path in paths]
        self._repository.change_root(lambda root: _give(root, ROOT, new, threshold), [*present, *new])
        self._keys.drop(ROOT)
        self._repository.refresh_timestamp()
        return paths

    def _root_signers(self, root_keys: Sequence[Path]) -> list[CryptoSigner]:
        given = [signer_from(path) for path in root_keys]
        here = (
            [self._keys.signer(ROOT, self._repository.root().roles[ROOT].keyids)]
            if self._keys.holds(ROOT)
            else []
        )
        if not given and not here:
            message = "the root key is not on this machine; name its files with --root-key FILE"
            raise ConfigError(message)
        return [*given, *here]


def _give(root: Root, role: str, signers: Sequence[CryptoSigner], threshold: int) -> None:
    """Let these keys sign for a role, and no others."""
    for keyid in list(root.roles[role].keyids):
        root.revoke_key(keyid, role)
    for signer in signers:
        root.add_key(signer.public_key, role)
    root.roles[role] = Role(list(root.roles[role].keyids), threshold)
