"""Links by which people say, without an account, whether the event of a message was right."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cloud.errors import DeniedError

VALID_S = 30 * 86_400.0
_KEY_BYTES = 32
_SIGNS = 40


@dataclass(frozen=True)
class Answers:
    """Makes and reads links; `base` is how people reach this cloud, as https://elfowl.example.org."""

    base: str
    key: bytes

    def link(self, message_id: str, now_s: float) -> str:
        """Return the address at which people answer a message."""
        said = f"{message_id}.{int(now_s + VALID_S)}"
        return f"{self.base.rstrip('/')}/api/v1/answers/{said}.{_signature(self.key, said)}"


def message_of(key: bytes, token: str, now_s: float) -> str:
    """Return the id of the message that a link is of.

    Raises:
        DeniedError: It was not made here, or is too old.
    """
    said, _, signature = token.rpartition(".")
    message_id, _, until = said.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(key, said).encode()) or not until.isdecimal():
        message = "this link was not made here, or was cut off; open the event in the portal instead"
        raise DeniedError(message)
    if int(until) < now_s:
        message = "this link is older than 30 days; open the event in the portal instead"
        raise DeniedError(message)
    return message_id


def key_at(path: Path) -> bytes:
    """Return the key in a file that only the owner reads; it is made when there is none."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            # Another process may have been quicker: its key counts.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()


def _signature(key: bytes, said: str) -> str:
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()[:_SIGNS]
