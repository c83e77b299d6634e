"""Passwords: which are taken, and what is kept of them (scrypt, from the standard library)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import unicodedata
from dataclasses import dataclass
from typing import Final

from cloud.errors import InputError

SHORTEST: Final = 10
LONGEST: Final = 256
_FEWEST_SIGNS: Final = 5
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32
_HASHED_AT_ONCE: Final = 2
# Tried first by whoever guesses; shorter ones are refused for their length.
_COMMON: Final = frozenset(
    {
        "0123456789", "1234567890", "12345678910", "123456789a", "0987654321", "1q2w3e4r5t", "1qaz2wsx3edc",
        "abcdefghij", "administrator", "adminadmin", "elfowlelfowl", "football123", "iloveyou123",
        "letmein123", "password01", "password1!", "password12", "password123", "password1234", "passw0rd123",
        "qwerty12345", "qwertyuiop", "qwertz12345", "qwertzuiop", "welcome123", "welcome2026",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """How much work one guess is; by default 32 MB of memory, some tenths of a second."""

    n: int = 1 << 15
    r: int = 8
    p: int = 3

    @property
    def memory_bytes(self) -> int:
        """Return what hashing may take: twice what it needs."""
        return 2 * 128 * self.r * (self.n + self.p + 2)


USUAL: Final = Cost()
# Nobody shall fill the memory by sending many passwords at once.
_turns = threading.BoundedSemaphore(_HASHED_AT_ONCE)


def refuse_weak(password: str, name: str) -> None:
    """Refuse a password that is guessed early.

    Raises:
        InputError: It is too short, too long, too plain, or among the first that are tried.
    """
    plain = _plain(password)
    if not SHORTEST <= len(plain) <= LONGEST:
        message = (
            f"password: take at least {SHORTEST} characters (at most {LONGEST}); some words in a row are good"
        )
    elif plain.casefold() in _COMMON:
        message = "password: this one is among the first that are tried; take another"
    elif len(set(plain)) < _FEWEST_SIGNS:
        message = f"password: take at least {_FEWEST_SIGNS} different signs"
    elif len(name) > 2 and _plain(name).casefold() in plain.casefold():
        message = "password: leave your name out of it"
    else:
        return
    raise InputError(message)


def hash_password(password: str, cost: Cost = USUAL) -> str:
    """Return what is kept of a password: `scrypt$n$r$p$salt$digest`."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(password, salt, cost)
    return "$".join(("scrypt", str(cost.n), str(cost.r), str(cost.p), _text(salt), _text(digest)))


def is_password(password: str, kept: str) -> bool:
    """Return whether `password` is the one of which `kept` was kept; false when that is damaged."""
    try:
        kind, n, r, p, salt, digest = kept.split("$")
        cost = Cost(int(n), int(r), int(p))
        if kind != "scrypt":
            return False
        return hmac.compare_digest(_scrypt(password, _bytes(salt), cost), _bytes(digest))
    except (ValueError, binascii.Error):
        return False


def hash_of_nobody(cost: Cost = USUAL) -> str:
    """Return what no password fits and takes as long to check as any: for names that do not exist."""
    salt, digest = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_DIGEST_BYTES)
    return "$".join(("scrypt", str(cost.n), str(cost.r), str(cost.p), _text(salt), _text(digest)))


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    with _turns:
        return hashlib.scrypt(
            _plain(password).encode(), salt=salt, n=cost.n, r=cost.r, p=cost.p,
            maxmem=cost.memory_bytes, dklen=_DIGEST_BYTES,
        )  # fmt: skip


def _plain(text: str) -> str:
    """Return a text in the one form in which keyboards of all systems write it."""
    return unicodedata.normalize("NFKC", text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
