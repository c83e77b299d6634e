"""Workspaces: what one sees, no other does; a server has one, `home`, until somebody makes more."""

from __future__ import annotations

import unicodedata
from typing import Final

from cloud.errors import InputError

HOME: Final = "home"
"""The id of the workspace that every server has; what nobody else's is, is its."""

_MOST_CHARS: Final = 60


def workspace_name(text: str) -> str:
    """Return a name in one form.

    Raises:
        InputError: It is empty, too long, or has signs that cannot be printed.
    """
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if not name or len(name) > _MOST_CHARS or not name.isprintable():
        message = f"name {text[:80]!r} of a workspace: take 1 to {_MOST_CHARS} printable signs"
        raise InputError(message)
    return name
