"""A process that keeps workers of streams in a cluster of Ray: `python -m cloud.engine.ray_watchers SEAT`.

They run what `python -m cloud.streams.worker` runs, wherever there is room. What they store they tell this
process, which tells it to the server, as they would have done themselves. They end with this process, which
outlives its server as they would.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from cloud.engine.cluster import join, settings_here
from cloud.processes import ONE_THREAD
from cloud.settings import Settings, settings_from
from cloud.store.database import Database
from cloud.streams.alone import leave_when_alone
from cloud.streams.seats import Sitting
from cloud.streams.worker import say, serve
from cloud.subnets.registry import look_in
from edge_agent.clock import Clock, SystemClock
from edge_agent.wire.event import Event

_LOG = logging.getLogger(__name__)
_NEWS_S = 5.0
_AGAIN_S = 0.5
_GRACE_S = 10.0


class Watcher:
    """A worker that watches streams, as an actor of Ray; it ends when the worker does."""

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
        self._thread = threading.Thread(target=self._watch, args=(slot, settings), daemon=True)
        self._thread.start()

    def news(self) -> list[str]:
        """Return events that were stored, as JSON; waits for them a while."""
        try:
            return [event.to_json() for event in self._news.get(timeout=_NEWS_S)]
        except queue.Empty:
            return []

    def stop(self) -> None:
        """Let all streams go."""
        self._stopping.set()
        self._thread.join()

    def _watch(self, slot: str, settings: Settings) -> None:
        database = Database(settings.database_url)
        try:
            serve(slot, settings, database, self._stopping, self._news.put)
        finally:
            database.close()
            if not self._stopping.is_set():
                # Ray starts it again.
                os._exit(1)


class Watchers:
    """The actors of one cloud."""

    def __init__(self, slot: str, settings: Settings) -> None:
        """Ask for them; Ray makes each as soon as a machine has room."""
        options: dict[str, Any] = {
            "num_cpus": 1,
            "num_gpus": settings.offload_gpus,
            "max_restarts": -1,
            # News are waited for in one of its threads.
            "max_concurrency": 2,
            "scheduling_strategy": "SPREAD",
        }
        watcher = ray.remote(Watcher).options(**options)
        self._handles: list[Any] = [
            watcher.remote(f"{slot}.{os.getpid()}-{number}", settings.model_dump_json())
            for number in range(settings.stream_workers)
        ]

    async def keep(self, tell: Callable[[Sequence[Event]], None]) -> None:
        """Tell what they store, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for handle in self._handles:
                group.create_task(_follow(handle, tell))

    async def stop(self) -> None:
        """Let them say goodbye."""
        ending = [handle.stop.remote() for handle in self._handles]
        await asyncio.wait([asyncio.ensure_future(_quietly(one)) for one in ending], timeout=_GRACE_S)


async def _follow(handle: Any, tell: Callable[[Sequence[Event]], None]) -> None:  # noqa: ANN401 - Ray's
    while True:
        try:
            found = await handle.news.remote()
        except RayError as error:
            _LOG.warning("a worker of streams was lost: %s", str(error).partition("\n")[0])
            await asyncio.sleep(_AGAIN_S)
        else:
            tell([Event.from_json(one) for one in found])


async def _quietly(reference: Any) -> None:  # noqa: ANN401 - Ray's
    try:
        await reference
    except RayError as error:
        _LOG.warning("a worker of streams did not say goodbye: %s", str(error).partition("\n")[0])


async def _run(watchers: Watchers, sitting: Sitting) -> None:
    told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    keeping = asyncio.create_task(watchers.keep(lambda events: say(sitting, events)))
    await asyncio.wait([keeping, asyncio.create_task(told_to_stop.wait())], return_when="FIRST_COMPLETED")
    keeping.cancel()
    await watchers.stop()


def main(seat: Path, clock: Clock) -> None:
    """Keep workers until a server says so, or there was none for long."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = settings_from()
    sitting = Sitting(seat, clock)
    # Also while it waits for a cluster.
    leave_when_alone(sitting, clock, lambda: os.kill(os.getpid(), signal.SIGTERM))
    join(settings.ray_address, clock)
    asyncio.run(_run(Watchers(seat.name, settings), sitting))
    # Ray would take its time to say where the process was.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), SystemClock())
