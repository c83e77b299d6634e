"""How many requests of people wait for their answers at once: beyond that each is refused at once, with 503.

What comes faster than it can be answered would wait longer and longer, hold memory meanwhile, and be answered
when nobody listens any more. Used in the server's event loop only.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from starlette.types import Message, Send

from cloud.errors import BusyError

MOST_WAITING: Final = 128
"""Forty are worked on at a time, in some milliseconds each: the last one waits for about a second."""

_RETRY_AFTER_S: Final = 2.0


class Room:
    """Counts requests from when they came until their answers begin."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self.waiting = 0

    def place(self) -> Place:
        """Return a place in it; use as a context manager.

        Raises:
            BusyError: It is full.
        """
        if self.waiting >= self._most:
            message = f"{self._most} requests wait for their answers already; ask again in a moment"
            raise BusyError(message, retry_after_s=_RETRY_AFTER_S)
        return Place(self)


class Place:
    """A request's place: left when its answer begins, for who reads that slowly keeps nobody waiting."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._is_held = True
        room.waiting += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Make room for the next one; more than once does no more."""
        if self._is_held:
            self._is_held = False
            self._room.waiting -= 1

    def noting(self, send: Send) -> Send:
        """Return a `send` that leaves once the answer begins."""

        async def passing(message: Message) -> None:
            self.leave()
            await send(message)

        return passing
