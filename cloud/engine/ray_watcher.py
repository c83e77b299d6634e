"""A worker that watches streams, as an actor of Ray which outlives whoever keeps it."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Sequence

import ray

from cloud.engine.cluster import settings_here
from cloud.engine.crew import KeeperTie
from cloud.processes import ONE_THREAD
from cloud.settings import Settings
from cloud.store.database import Database
from cloud.streams.alone import leave_when_alone
from cloud.streams.keeper import STOPPED, Goodbye
from cloud.streams.worker import serve
from cloud.subnets.registry import look_in
from edge_agent.clock import SystemClock
from edge_agent.wire.event import Event

_NEWS_S = 5.0


class Watcher:
    """Watches until it is told to stop, or nobody asked for long; when it dies Ray starts it again."""

    def __init__(self, slot: str, settings_json: str) -> None:
        """Begin to watch.

        Args:
            slot: Its place, which no other worker has.
            settings_json: The cloud's `Settings`.
        """
        # Before libraries that read it: Ray lets them have as many threads as it counts cores for the actor.
        os.environ.update(ONE_THREAD)
        settings = settings_here(Settings.model_validate_json(settings_json))
        look_in(settings.home)
        self._news: queue.SimpleQueue[Sequence[Event]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._goodbye = STOPPED
        self._thread = threading.Thread(target=self._watch, args=(slot, settings), daemon=True)
        self._thread.start()
        clock, self._itself = SystemClock(), ray.get_runtime_context().current_actor
        self._tie = KeeperTie(clock)
        leave_when_alone(self._tie, clock, self.stop)

    def news(self) -> tuple[str, list[str]]:
        """Return on which machine this is, and events that were stored, as JSON; waits for them a while."""
        machine = ray.get_runtime_context().get_node_id()
        with self._tie.asked():
            try:
                return machine, [event.to_json() for event in self._news.get(timeout=_NEWS_S)]
            except queue.Empty:
                return machine, []

    def stop(self, goodbye: Goodbye = STOPPED) -> None:
        """Let all streams go, and end for good; who asked for it may learn no more than that it ended."""
        self._goodbye = goodbye
        self._stopping.set()
        self._thread.join()
        ray.kill(self._itself, no_restart=True)

    def _watch(self, slot: str, settings: Settings) -> None:
        database = Database(settings.database_url)
        try:
            serve(slot, settings, database, self._stopping, self._tell, lambda: self._goodbye)
        finally:
            database.close()
            if not self._stopping.is_set():
                # Ray starts it again.
                os._exit(1)

    def _tell(self, events: Sequence[Event]) -> None:
        # What nobody listens to is not told later, either.
        if self._tie.has_server:
            self._news.put(events)
