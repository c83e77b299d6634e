"""Tells open pages what just happened; who is too slow misses the oldest news, never slows others down."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

News = dict[str, Any]

_WAITING = 200


class LiveFeed:
    """News from any thread to any number of listeners in event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[News]]] = []

    def publish(self, news: News) -> None:
        """Tell everybody who listens now; called from any thread."""
        with self._lock:
            listeners = list(self._listeners)
        for loop, queue in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_offer, queue, news)

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[News]]:
        """Listen within the running event loop."""
        entry = (asyncio.get_running_loop(), asyncio.Queue[News](_WAITING))
        with self._lock:
            self._listeners.append(entry)
        try:
            yield entry[1]
        finally:
            with self._lock:
                self._listeners.remove(entry)


def _offer(queue: asyncio.Queue[News], news: News) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(news)
