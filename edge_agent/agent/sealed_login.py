"""Passwords of cameras that come by way of the cloud: closed in the browser, opened here, read nowhere else.

How they are closed stands at `edge_agent.wire.nearby.SealedLogin`. The key is in memory only: what somebody
finds later in a database or a backup of the cloud can be opened by nobody.
"""

from __future__ import annotations

import base64
import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.errors import ProtocolError
from edge_agent.wire.nearby import SealedLogin

_INFO = b"elfowl camera login"
_KEY_BYTES = 32
_LONGEST = 500


class Seal:
    """A key of this process, and what was closed for it."""

    def __init__(self) -> None:
        """Make a key."""
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> str:
        """Return the half that may be known: base64 of the uncompressed point."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.b64encode(point).decode()

    def open(self, sealed: SealedLogin, service: str) -> tuple[str, str]:
        """Return user and password.

        Args:
            sealed: As it came.
            service: The address of the camera that it was closed for.

        Raises:
            ProtocolError: It was closed for another key or another camera, or is no login.
        """
        try:
            theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(sealed.key))
            shared = self._key.exchange(ec.ECDH(), theirs)
            key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_INFO).derive(shared)
            text = AESGCM(key).decrypt(_bytes(sealed.nonce), _bytes(sealed.text), service.encode())
            told = json.loads(text)
            user, password = told["user"], told["password"]
        except (ValueError, InvalidTag, KeyError, TypeError) as error:
            message = "the password was closed for an earlier start of this device; look for cameras again"
            raise ProtocolError(message) from error
        if not (isinstance(user, str) and isinstance(password, str)) or len(user + password) > _LONGEST:
            message = f"a camera's user and password are texts of {_LONGEST} signs at most"
            raise ProtocolError(message)
        return user, password


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
