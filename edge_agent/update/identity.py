"""Who this device is: a key that it made itself and that never leaves it, and what the cloud gave it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import Field

from edge_agent.clock import Clock
from edge_agent.errors import ConfigError, StorageError
from edge_agent.update.disk import RealDisk, storing, write_whole
from edge_agent.wire.base import Document, Name
from edge_agent.wire.sync import MqttAccess

AUDIENCE: Final = "elfowl-cloud"
TOKEN_LIFETIME_S: Final = 60.0

_FOLDER: Final = "identity"
_KEY_FILE: Final = "device_key.pem"
_ENROLMENT_FILE: Final = "enrolment.json"


class Enrolment(Document):
    """What is kept of a successful enrolment; all URLs are absolute, `tuf_root` is pinned."""

    schema_version: Literal[1] = Field(1, alias="schema")
    device: Name
    cloud_url: str
    mqtt: MqttAccess
    tuf_root: str
    tuf_metadata_url: str
    tuf_targets_url: str


@dataclass(frozen=True)
class Identity:
    """An enrolled device."""

    enrolment: Enrolment
    key: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Identity(device={self.enrolment.device!r}, cloud_url={self.enrolment.cloud_url!r})"

    @property
    def device(self) -> str:
        """Return the name under which the cloud knows this device."""
        return self.enrolment.device

    def bearer_token(self, clock: Clock) -> str:
        """Return a fresh token for one request: `Authorization: Bearer <token>`; it holds for a minute."""
        now_s = int(clock.now_s())
        claims = {
            "iss": self.enrolment.device,
            "aud": AUDIENCE,
            "iat": now_s,
            "exp": now_s + int(TOKEN_LIFETIME_S),
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, self.key, algorithm="EdDSA")


def load_identity(state_dir: Path) -> Identity | None:
    """Return who this device is; none when it never enrolled.

    Raises:
        ConfigError: What is stored is damaged; the text says what to do.
        StorageError: It cannot be read.
    """
    path = state_dir / _FOLDER / _ENROLMENT_FILE
    with storing(path):
        if not path.exists():
            return None
        text = path.read_bytes()
    try:
        enrolment = Enrolment.from_json(text)
    except ValueError as error:
        message = f"{path} is damaged; run: elfowl-agent enrol"
        raise ConfigError(message) from error
    return Identity(enrolment, load_key(state_dir))


def save_enrolment(state_dir: Path, enrolment: Enrolment) -> None:
    """Keep what the cloud gave; readable by the owner only, for it holds the broker's password.

    Raises:
        StorageError: The disk is full or read-only.
    """
    write_whole(RealDisk(), state_dir / _FOLDER / _ENROLMENT_FILE, enrolment.to_json().encode())


def load_or_make_key(state_dir: Path) -> Ed25519PrivateKey:
    """Return the device's key, which is made at the first call.

    Raises:
        ConfigError: The stored key is damaged.
        StorageError: The disk is full or read-only.
    """
    path = state_dir / _FOLDER / _KEY_FILE
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_whole(RealDisk(), path, pem)
        with storing(path):
            path.parent.chmod(0o700)
    return load_key(state_dir)


def load_key(state_dir: Path) -> Ed25519PrivateKey:
    """Return the device's key.

    Raises:
        ConfigError: There is none, or it is damaged.
        StorageError: It cannot be read.
    """
    path = state_dir / _FOLDER / _KEY_FILE
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        message = f"the device key {path} is missing; enrol again with: elfowl-agent enrol"
        raise ConfigError(message) from None
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise StorageError(message) from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        # The parser's own words are left out: they may quote the file.
        message = f"the device key {path} is damaged; remove it and enrol again with: elfowl-agent enrol"
        raise ConfigError(message)
    return key


def public_key_pem(key: Ed25519PrivateKey) -> str:
    """Return the half of a key that may be told to anybody."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
