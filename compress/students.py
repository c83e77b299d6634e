"""The seam to the search for smaller networks: what it must give, and where it is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from compress.progress import ProgressListener
from compress.protocol import Compressible
from edge_agent.clock import Clock
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import Removal


@dataclass(frozen=True)
class FoundStudent:
    """A smaller network: a detector as any other, a name of a few short words, and what was taken away."""

    name: str
    detector: Compressible
    removed: tuple[Removal, ...] = ()


@dataclass(frozen=True)
class Task:
    """What is looked for: for which devices, in how many seconds, with a folder that outlives a kill."""

    detector: Compressible
    profiles: tuple[DeviceProfile, ...]
    budget_s: float
    folder: Path


class StudentFinder(Protocol):
    """Looks for smaller networks that answer as the full detector does."""

    def __call__(
        self, task: Task, *, progress: ProgressListener, cancelled: Callable[[], bool], clock: Clock
    ) -> Sequence[FoundStudent]:
        """Return finished ones, best first.

        Raises:
            CancelledError: `cancelled` said so.
        """
        ...
