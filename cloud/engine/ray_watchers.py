"""A process that keeps workers of streams in a cluster of Ray: `python -m cloud.engine.ray_watchers SEAT`.

They run what `python -m cloud.streams.worker` runs, wherever there is room. What they store they tell this
process, which tells it to the server, as they would have done themselves. When this process, or its machine,
dies they watch on for a while, and the next one that keeps them finds them by their names (`crew`). When it
is told to end it lets them end, too. It outlives its server as workers of one machine do. It sees to it that
they are not all on one machine, and ends one that hangs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError
from sqlalchemy.exc import SQLAlchemyError

from cloud.engine.cluster import Places, join
from cloud.engine.crew import Crew
from cloud.engine.ray_watcher import Watcher
from cloud.engine.silence import Rolls, Silence
from cloud.settings import Settings, settings_from
from cloud.store.database import Database
from cloud.streams.alone import leave_when_alone
from cloud.streams.keeper import STOPPED, Goodbye
from cloud.streams.seats import Sitting
from cloud.streams.shared_clock import clock_of
from cloud.streams.worker import say
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ElfowlError
from edge_agent.wire.event import Event

_LOG = logging.getLogger(__name__)
_AGAIN_S = 0.5
_MADE_AGAIN_S = 5.0
_GRACE_S = 10.0
_KILL_S = 3.0
_LISTEN_EVERY_S = 5.0
_SPREAD_EVERY_S = 10.0
_SETTLED_S = 60.0
"""So long after one was moved it should be where it was to go."""

_MOVED: Goodbye = ("moved", "another worker takes it: all were on one machine, and this one goes to another")

Tell = Callable[[Sequence[Event]], None]


class Watchers:
    """The actors of one cloud: those that are there already, and new ones for the rest."""

    def __init__(self, crew: Crew, settings: Settings, rolls: Rolls, clock: Clock) -> None:
        """Prepare; `keep` asks for them."""
        self._crew, self._settings_json = crew, settings.model_dump_json()
        self._rolls, self._silence = rolls, Silence(clock)
        self._options: dict[str, Any] = {
            "num_cpus": 1,
            "num_gpus": settings.offload_gpus,
            "max_restarts": -1,
            # News are waited for in one of its threads; in a second one, by a keeper that died meanwhile.
            "max_concurrency": 3,
            "lifetime": "detached",
            "get_if_exists": True,
        }
        self._handles: dict[str, Any] = {}
        self._places = Places({"CPU": self._options["num_cpus"], "GPU": self._options["num_gpus"]})

    async def keep(self, tell: Tell) -> None:
        """Tell what they store, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._end_others())
            group.create_task(self._spread())
            group.create_task(self._end_hung())
            for name in self._crew.names:
                group.create_task(self._follow(name, tell))

    async def stop(self) -> None:
        """Let them say goodbye and end."""
        await _end(self._handles.values())

    async def _end_others(self) -> None:
        """End whom a keeper before this one left behind on other terms."""
        others = self._crew.others(await asyncio.to_thread(ray.util.list_named_actors))
        for name in others:
            _LOG.warning("%s watched on, but on other terms: it is ended", name)
        found = [await asyncio.to_thread(_found, name) for name in others]
        await _end(one for one in found if one is not None)

    async def _follow(self, name: str, tell: Tell) -> None:
        handle = await self._have(name)
        while True:
            try:
                machine, found = await handle.news.remote()
            except ActorDiedError as error:
                _LOG.warning("%s is gone, another one is made: %s", name, str(error).partition("\n")[0])
                self._silence.forget(name)
                await asyncio.sleep(_MADE_AGAIN_S)
                handle = await self._have(name)
            except RayError as error:
                _LOG.warning("%s was lost: %s", name, str(error).partition("\n")[0])
                self._silence.forget(name)
                await asyncio.sleep(_AGAIN_S)
            else:
                self._places.note(name, machine)
                tell([Event.from_json(one) for one in found])

    async def _spread(self) -> None:
        """Move one when all are on one machine, as after another one died: without it nobody would watch."""
        full: frozenset[str] = frozenset()
        while True:
            await asyncio.sleep(_SPREAD_EVERY_S)
            if not self._places.may_be_crowded:
                continue
            await self._places.look()
            wanted = self._places.way_out(full)
            if wanted is None:
                continue
            try:
                counts = await asyncio.to_thread(self._rolls.counts, self._handles)
            except (ElfowlError, SQLAlchemyError):
                # The tables are away; there is time.
                continue
            name = min(counts, key=lambda one: (counts[one], one))
            _LOG.warning("all workers of streams are on one machine: %s goes to another", name)
            # Who follows it has it made again.
            await _end([self._handles[name]], _MOVED)
            await asyncio.sleep(_SETTLED_S)
            if not self._places.has_any_on(wanted):
                full |= {wanted}

    async def _end_hung(self) -> None:
        while True:
            await asyncio.sleep(_LISTEN_EVERY_S)
            try:
                beating = await asyncio.to_thread(self._rolls.at_work)
            except (ElfowlError, SQLAlchemyError):
                self._silence.forgive()
                continue
            self._silence.hear(beating.intersection(self._handles))
            for name in self._silence.hung():
                _LOG.error("%s does not beat: it is ended, and started again", name)
                self._silence.forget(name)
                await asyncio.to_thread(ray.kill, self._handles[name], no_restart=False)

    async def _have(self, name: str) -> Any:  # noqa: ANN401 - Ray's
        """Return the actor of a name; Ray makes it as soon as a machine has room, if there is none."""
        await self._places.look()
        place = self._places.choose(name)
        watcher = ray.remote(Watcher).options(name=name, scheduling_strategy=place, **self._options)
        # In a thread: the cluster's head may be away.
        self._handles[name] = await asyncio.to_thread(watcher.remote, name, self._settings_json)
        return self._handles[name]


def _found(name: str) -> Any:  # noqa: ANN401 - Ray's
    try:
        return ray.get_actor(name)
    except ValueError:
        # It ended meanwhile.
        return None


async def _end(handles: Iterable[Any], goodbye: Goodbye = STOPPED) -> None:
    await asyncio.gather(*(_end_one(handle, goodbye) for handle in handles))


async def _end_one(handle: Any, goodbye: Goodbye) -> None:  # noqa: ANN401 - Ray's
    """Let it say goodbye; one that does not in time is ended all the same."""
    try:
        async with asyncio.timeout(_GRACE_S):
            await handle.stop.remote(goodbye)
    except ActorDiedError:
        # As it was told to.
        pass
    except (RayError, TimeoutError) as error:
        _LOG.warning("a worker of streams did not say goodbye: %s", str(error).partition("\n")[0] or "late")
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILL_S):
                await asyncio.to_thread(ray.kill, handle)


async def _run(watchers: Watchers, sitting: Sitting) -> None:
    told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop.set)
    keeping = asyncio.create_task(watchers.keep(lambda events: say(sitting, events)))
    await asyncio.wait([keeping, asyncio.create_task(told_to_stop.wait())], return_when="FIRST_COMPLETED")
    if keeping.done():
        # What went wrong here is no reason to end them: the next one finds them.
        keeping.result()
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
    database = Database(settings.database_url)
    rolls = Rolls(database, clock_of(database, clock))
    asyncio.run(_run(Watchers(Crew.of(settings, seat.parent.name), settings, rolls, clock), sitting))
    # Ray would take its time to say where the process was.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), SystemClock())
