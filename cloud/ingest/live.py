"""Tells open pages what just happened; who is too slow misses the oldest news, never slows others down."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

News = dict[str, Any]

_WAITING = 200


class OwnerOf(Protocol):
    """Tells of which workspace news are; see `cloud.actions.belonging.owner_of_news`."""

    def __call__(self, news: News) -> str | None:
        """Return the id of the workspace; none: nobody can tell, and nobody hears it."""
        ...


@dataclass(frozen=True, eq=False)
class _Listener:
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[News]
    workspace: str | None


class LiveFeed:
    """News from any thread to any number of listeners in event loops, each hears of its own workspace."""

    def __init__(self, owner_of: OwnerOf | None = None) -> None:
        """Begin with nobody listening; `owner_of` none: all news are for everybody."""
        self._owner_of = owner_of
        self._lock = threading.Lock()
        self._listeners: list[_Listener] = []

    @property
    def listeners(self) -> tuple[object, ...]:
        """Return who listens now."""
        with self._lock:
            return tuple(self._listeners)

    def publish(self, news: News) -> None:
        """Tell everybody who listens now and may hear it; called from any thread."""
        with self._lock:
            listeners = list(self._listeners)
        if self._owner_of is not None and any(one.workspace is not None for one in listeners):
            owner = self._owner_of(news)
            listeners = [one for one in listeners if one.workspace in {None, owner}]
        for one in listeners:
            if not one.loop.is_closed():
                one.loop.call_soon_threadsafe(_offer, one.queue, news)

    @contextmanager
    def listen(self, workspace: str | None = None) -> Iterator[asyncio.Queue[News]]:
        """Listen within the running event loop to the news of a workspace; none: of all."""
        entry = _Listener(asyncio.get_running_loop(), asyncio.Queue[News](_WAITING), workspace)
        with self._lock:
            self._listeners.append(entry)
        try:
            yield entry.queue
        finally:
            with self._lock:
                self._listeners.remove(entry)


def _offer(queue: asyncio.Queue[News], news: News) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(news)
