"""Progress of long work, whatever library reports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far it is; `fraction` is 0..1."""

    stage: str
    fraction: float
    message: str
    seconds_left: float | None = None


Listener = Callable[[Progress], None]
Cancelled = Callable[[], bool]


def to_nobody(_progress: Progress) -> None:
    """Report to nobody."""


def never() -> bool:
    """Never cancel."""
    return False
