"""Workspaces: what one sees, no other does; a server has one, `home`, until somebody makes more."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from cloud.errors import InputError

HOME: Final = "home"
"""The id of the workspace that every server has; what nobody else's is, is its."""

WORKSPACE_VARIABLE: Final = "ELFOWL_JOB_WORKSPACE"
"""By this variable of the environment the process of a job learns whose job it is."""

_MOST_CHARS: Final = 60

_current: ContextVar[str | None] = ContextVar("elfowl_workspace", default=None)


class _Process:
    """What holds for all threads of a process that works for one workspace."""

    workspace_id: str | None = None


def current() -> str | None:
    """Return the workspace whose scope this is; none outside of every scope."""
    return _current.get() or _Process.workspace_id


@contextmanager
def within(workspace_id: str | None) -> Iterator[None]:
    """Let what runs in the block see one workspace only; none: all of them."""
    token = _current.set(workspace_id)
    try:
        yield
    finally:
        _current.reset(token)


def settle(workspace_id: str | None) -> None:
    """Let this whole process, with all its threads, see one workspace only: for workers of one job."""
    _Process.workspace_id = workspace_id


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
