"""Random secrets of people: session ids, API tokens, the code of the first start; only digests are stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from typing import Final

API_TOKEN_PREFIX: Final = "elfowl_"  # noqa: S105 - by this beginning, searches for leaked secrets find them
_SECRET_HEX: Final = 40
_CHECK_HEX: Final = 8
# Without signs that are taken for one another when read aloud.
_CODE_SIGNS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_api_token() -> str:
    """Return a fresh API token: its beginning, 160 random bits, and a checksum against typing errors."""
    secret = secrets.token_hex(_SECRET_HEX // 2)
    return f"{API_TOKEN_PREFIX}{secret}{_checksum(secret)}"


def is_api_token(text: str) -> bool:
    """Return whether a text can be an API token: form and checksum are right."""
    body = text.removeprefix(API_TOKEN_PREFIX)
    if body == text or len(body) != _SECRET_HEX + _CHECK_HEX or not body.isascii():
        return False
    return hmac.compare_digest(_checksum(body[:_SECRET_HEX]), body[_SECRET_HEX:])


def new_session_id() -> str:
    """Return a fresh session id of 256 random bits."""
    return secrets.token_urlsafe(32)


def new_setup_code() -> str:
    """Return a code of 58 random bits that can be typed, such as `K7WM-3RTA-9XQE`."""
    signs = "".join(secrets.choice(_CODE_SIGNS) for _ in range(12))
    return "-".join((signs[:4], signs[4:8], signs[8:]))


def is_setup_code(given: str, expected: str) -> bool:
    """Return whether a typed code is the expected one, whatever its case and dashes."""
    return hmac.compare_digest(_typed(given), _typed(expected))


def digest_of(secret: str) -> str:
    """Return under which digest a secret is stored; so many random bits need no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(session_id: str) -> str:
    """Return what pages of a session send in `X-Elfowl-Csrf`; it does not lead back to the session."""
    return hashlib.sha256(b"elfowl-csrf\0" + session_id.encode()).hexdigest()


def is_csrf_of(given: str, session_id: str) -> bool:
    """Return whether a request was made by a page of this session."""
    return hmac.compare_digest(given.encode(), csrf_of(session_id).encode())


def _checksum(secret: str) -> str:
    return f"{zlib.crc32(secret.encode()):08x}"


def _typed(code: str) -> bytes:
    return code.upper().replace("-", "").replace(" ", "").encode()
