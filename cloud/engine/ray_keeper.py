"""A process that keeps offload workers in a cluster of Ray: `python -m cloud.engine.ray_keeper PLAN SOCKET…`.

The only one of ours beside the actors that loads Ray; actors end with it. Ray's ports let whoever reaches
them run anything: keep the cluster where nobody else can.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError

from cloud.engine.cluster import Places, join
from cloud.engine.keeping import ActorEndedError, ActorLostError, KeeperPlan, Post, Posts, wanted_in
from cloud.engine.line import Line
from cloud.engine.ray_actor import Looker
from cloud.engine.sharing import SharedFolders
from cloud.offload.bringing import Bringer
from cloud.offload.link import LinkLostError
from cloud.offload.protocol import Answer, Ask
from cloud.processes import exit_with_parent
from edge_agent.clock import Clock, SystemClock

_TOKEN_BYTES = 32


class RayActor:
    """An actor, as `Post` wants it; Ray starts it again when it or its machine dies.

    Ray says where it is and whether it lives; questions go there directly.
    """

    def __init__(self, name: str, plan: KeeperPlan, places: Places, clock: Clock) -> None:
        """Ask for one; Ray makes it as soon as a machine has room.

        Args:
            name: Of its post.
            plan: What it is told.
            places: Where others are: not all are to die with one machine.
            clock: Where the time comes from.
        """
        self._name, self._places = name, places
        token = secrets.token_bytes(_TOKEN_BYTES)
        options: dict[str, Any] = {
            "num_cpus": 1,
            "num_gpus": plan.gpus,
            "max_restarts": -1,
            "scheduling_strategy": places.choose(name),
        }
        self._line = Line(token, clock)
        looker = ray.remote(Looker).options(**options)
        self._handle: Any = looker.remote(plan.cache.model_dump_json(), token)

    async def greet(self, folders: Sequence[Path]) -> None:
        """Return once it is up and has these detectors ready."""
        machine, host, port = await _told(self._handle.greet.remote([str(folder) for folder in folders]))
        self._places.note(self._name, machine)
        if not self._line.is_open:
            try:
                await self._line.open(host, port)
            except LinkLostError as error:
                raise ActorLostError from error

    async def answer(self, ask: Ask, payload: bytes) -> Answer:
        """Return its answer to a question."""
        try:
            return await self._line.ask(ask, payload)
        except LinkLostError as error:
            raise ActorLostError from error

    async def until_lost(self) -> None:
        """Return when it, having been greeted, is known to be lost."""
        await self._line.until_lost()

    def end(self) -> None:
        """End it for good."""
        self._line.close()
        self._places.forget(self._name)
        ray.kill(self._handle, no_restart=True)


async def _told(reference: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever the actor returns
    try:
        return await reference
    except ActorDiedError as error:
        raise ActorEndedError(str(error).partition("\n")[0]) from error
    except RayError as error:
        raise ActorLostError(str(error).partition("\n")[0]) from error


async def _keep(plan: KeeperPlan, sockets: Sequence[Path], clock: Clock) -> None:
    shared = SharedFolders(plan.cache)
    bringer = Bringer(shared)
    places = Places({"CPU": 1.0, "GPU": plan.gpus})
    # Once: a machine that is gone by then is no place, and Ray finds another one.
    await places.look()
    posts = [
        Post(socket, partial(RayActor, socket.name, plan, places, clock), bringer, shared.newest, clock)
        for socket in sockets
    ]
    await Posts(posts, partial(wanted_in, sockets[0].parent, plan.workers)).hold()


def main(plan_json: str, *sockets: str) -> None:
    """Keep workers until the parent ends."""
    exit_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    plan, clock = KeeperPlan.model_validate_json(plan_json), SystemClock()
    join(plan.address, clock)
    # Ray would print where the process was when it was told to end.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(_keep(plan, [Path(one) for one in sockets], clock))


if __name__ == "__main__":
    main(*sys.argv[1:])
