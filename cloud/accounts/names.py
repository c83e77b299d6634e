"""Names of accounts: as people write them, but never two that look the same."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from cloud.errors import InputError

_NAME: Final = re.compile(r"\w[\w .@+-]{0,62}\w|\w")


def account_name(text: str) -> str:
    """Return a name in one form.

    Raises:
        InputError: It is empty, too long, or has signs that no name has.
    """
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if _NAME.fullmatch(name) is None:
        message = f"name {text[:80]!r}: take 1 to 64 letters, digits and . _ @ + - between them"
        raise InputError(message)
    return name


def account_key(text: str) -> str:
    """Return by what a name is found, whatever its case."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()
