"""Progress of long work, whatever library reports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """How far it is; `fraction` is 0..1, `figures` may hold loss and ap50."""

    stage: str
    fraction: float
    message: str
    seconds_left: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


Listener = Callable[[Progress], None]
Cancelled = Callable[[], bool]


def to_nobody(_progress: Progress) -> None:
    """Report to nobody."""


def never() -> bool:
    """Never cancel."""
    return False
