"""How many requests of people wait for their answers at once: beyond that each is refused at once, with 503.

What comes faster than it can be answered would wait longer and longer, hold memory meanwhile, and be answered
when nobody listens any more. Used in the server's event loop only.
"""

from __future__ import annotations

from itertools import islice
from types import TracebackType
from typing import Final, Self

from starlette.types import Message, Send

from cloud.errors import BusyError
from edge_agent.clock import Clock

MOST_WAITING: Final = 128
"""Forty are worked on at a time, in some milliseconds each: the last one waits for about a second."""

SLOW: Final = 16
SLOW_S: Final = 3.0
"""Where so many wait for so long already, one more would wait longer: the machine is slower than usual."""

_RETRY_AFTER_S: Final = 2.0


class Room:
    """Counts requests from when they came until their answers begin."""

    def __init__(self, clock: Clock, most: int = MOST_WAITING) -> None:
        self._clock, self._most = clock, most
        self._came_s: dict[Place, float] = {}

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._came_s)

    def place(self) -> Place:
        """Return a place in it; use as a context manager.

        Raises:
            BusyError: It is full.
        """
        now_s = self._clock.monotonic_s()
        # They stand in the order in which they came.
        sixteenth_s = next(islice(self._came_s.values(), SLOW - 1, None), now_s)
        if self.waiting >= self._most or now_s - sixteenth_s > SLOW_S:
            message = f"{self.waiting} requests wait for their answers already; ask again in a moment"
            raise BusyError(message, retry_after_s=_RETRY_AFTER_S)
        place = Place(self._came_s)
        self._came_s[place] = now_s
        return place


class Place:
    """A request's place: left when its answer begins, for who reads that slowly keeps nobody waiting."""

    def __init__(self, held: dict[Place, float]) -> None:
        """Stand among those that are held."""
        self._held = held

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Make room for the next one; more than once does no more."""
        self._held.pop(self, None)

    def noting(self, send: Send) -> Send:
        """Return a `send` that leaves once the answer begins."""

        async def passing(message: Message) -> None:
            self.leave()
            await send(message)

        return passing
