"""What others leave for the reporting thread."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.report.spool import SpoolItem

MakePicture = Callable[[], bytes | None]
"""Returns an event's small picture as JPEG, none when it is too large to go along."""


@dataclass(frozen=True)
class Fresh:
    """An event to be stored; `lasting`: it must survive a kill from then on."""

    item: SpoolItem
    lasting: bool
    picture: MakePicture | None


@dataclass(frozen=True)
class Later:
    """Work with a camera's picture, for which nobody waits."""

    work: Callable[[], None]


Work = Callable[[], None] | Later | None
"""Anything to be done; work that can wait; none: stop."""


class Inbox:
    """Work from any thread for the one that takes it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._works: queue.SimpleQueue[Work] = queue.SimpleQueue()

    def put(self, work: Work) -> None:
        """Leave work."""
        self._works.put(work)

    def take_all(self, wait_s: float) -> list[Work]:
        """Return everything that is there; wait for the first piece of work."""
        found: list[Work] = []
        try:
            found.append(self._works.get(timeout=wait_s) if wait_s else self._works.get_nowait())
            while True:
                found.append(self._works.get_nowait())
        except queue.Empty:
            return found
