"""Messages on their way from the network's thread to the one that stores: bounded in number and bytes.

What finds no room is refused at once. It was not stored, so it is not answered: its device sends it again.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from cloud.ingest.handler import Incoming

MOST_WAITING: Final = 2_000
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_TOGETHER: Final = 500
_MOST_TOGETHER_BYTES: Final = 8 * 1024 * 1024


class Inbox:
    """A queue for one reader.

    Args:
        most: So many messages wait at most.
        most_bytes: So many bytes of payload wait at most; a larger message is taken when nothing else waits.
    """

    def __init__(self, most: int = MOST_WAITING, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._waiting: deque[Incoming] = deque()
        self._bytes = 0
        self._refused = 0
        self._closed = False
        self._changed = threading.Condition()

    def offer(self, message: Incoming) -> bool:
        """Take a message in; false when there is no room for it."""
        size_bytes = len(message.payload)
        with self._changed:
            is_full = len(self._waiting) >= self._most or self._bytes + size_bytes > self._most_bytes
            if is_full and self._waiting:
                self._refused += 1
                return False
            self._waiting.append(message)
            self._bytes += size_bytes
            self._changed.notify()
            return True

    def next_group(self, most: int = MOST_TOGETHER) -> list[Incoming]:
        """Wait for messages and return those that came first; none once all are taken of a closed one."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            group: list[Incoming] = []
            taken_bytes = 0
            while self._waiting and len(group) < most and taken_bytes < _MOST_TOGETHER_BYTES:
                group.append(self._waiting.popleft())
                taken_bytes += len(group[-1].payload)
            self._bytes -= taken_bytes
            return group

    def take_refused(self) -> int:
        """Return how many messages were refused since this was asked last."""
        with self._changed:
            refused, self._refused = self._refused, 0
            return refused

    def close(self) -> None:
        """Let the reader end once it has taken all that waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
