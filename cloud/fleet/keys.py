"""Signing keys of the update repository: Ed25519, one file a role, for the owner's eyes only."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from cloud.store.files import storing
from edge_agent.errors import ConfigError

ROOT: Final = "root"
TARGETS: Final = "targets"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"
BINS: Final = "bins"
ROLES: Final = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP, BINS)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SigningKeys:
    """The keys in `<keys_path>/tuf/<role>.pem`; PKCS #8, files 0600 in a folder 0700.

    The root key is needed only to begin and to change keys: it may be kept elsewhere, off this machine.
    """

    def __init__(self, keys_path: Path) -> None:
        self._folder = keys_path / "tuf"

    def __repr__(self) -> str:
        return str(self._folder)

    @property
    def exist(self) -> bool:
        """Return whether keys were made here before."""
        return self._folder.is_dir()

    def init(self) -> None:
        """Make all keys, unless that was done before; all of them appear at once, or none.

        Raises:
            StorageError: The disk is full or read-only.
        """
        if self.exist:
            return
        parent = self._folder.parent
        with storing(parent):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = parent / f".tuf.{secrets.token_hex(4)}.new"
            try:
                new.mkdir(mode=0o700)
                for role in ROLES:
                    _write_secret(new / f"{role}.pem", CryptoSigner.generate_ed25519().private_bytes)
                new.rename(self._folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)

    def holds(self, role: str) -> bool:
        """Return whether the key of a role lies here; the root key may be kept elsewhere."""
        return self._path_of(role).is_file()

    def signer(self, role: str, keyids: Sequence[str] = ()) -> CryptoSigner:
        """Return what signs for a role.

        Args:
            role: The role.
            keyids: The keys that the repository names for it; while a key is changed, the next one may be it.

        Raises:
            ConfigError: The key is missing, damaged, or readable by others.
        """
        following = self._next_path_of(role)
        if following.is_file():
            found = signer_from(following)
            if found.public_key.keyid in keyids or not self.holds(role):
                return found
        return signer_from(self._path_of(role))

    def prepare(self, role: str) -> CryptoSigner:
        """Return the next key of a role; it is made, unless an earlier change was cut off.

        Raises:
            StorageError: The disk is full or read-only.
            ConfigError: The next key of an earlier change is damaged.
        """
        path = self._next_path_of(role)
        if not path.is_file():
            with storing(path):
                partial = path.with_suffix(".part")
                partial.unlink(missing_ok=True)
                _write_secret(partial, CryptoSigner.generate_ed25519().private_bytes)
                partial.rename(path)
        return signer_from(path)

    def adopt(self, role: str) -> None:
        """Let the next key of a role take the place of its key, which is gone then."""
        with storing(self._folder):
            self._next_path_of(role).rename(self._path_of(role))

    def drop(self, role: str) -> None:
        """Remove the key of a role from this machine; nothing happens when it is not here."""
        with storing(self._folder):
            self._path_of(role).unlink(missing_ok=True)

    def _next_path_of(self, role: str) -> Path:
        return self._folder / f"{role}.next.pem"

    def _path_of(self, role: str) -> Path:
        return self._folder / f"{role}.pem"


def make_key_file(path: Path) -> CryptoSigner:
    """Make a key in a file of its own; one that lies there is never replaced.

    Raises:
        StorageError: It cannot be written.
    """
    with storing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        signer = CryptoSigner.generate_ed25519()
        _write_secret(path, signer.private_bytes)
    return signer


def signer_from(path: Path) -> CryptoSigner:
    """Return what signs with the key in a file.

    Raises:
        ConfigError: The key is missing, damaged, or readable by others.
    """
    key = _read_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        message = f"signing key {path} is not an Ed25519 key; restore it from its backup"
        raise ConfigError(message)
    return CryptoSigner(key)


def _read_key(path: Path) -> object:
    try:
        _refuse_exposed(path)
        _refuse_exposed(path.parent)
        return load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        message = f"signing key {path} is missing; restore it from its backup"
        raise ConfigError(message) from None
    except OSError as error:
        message = f"signing key {path} cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The parser's own words are left out: they may quote the file.
        message = f"signing key {path} is damaged; restore it from its backup"
        raise ConfigError(message) from None


def _write_secret(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _refuse_exposed(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        message = f"{path} is open to other users (mode {mode:o}); run: chmod go= {path}"
        raise ConfigError(message)
