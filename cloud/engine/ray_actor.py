"""A worker that answers pictures, as an actor of Ray."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import ray

from cloud.cache.plan import CachePlan
from cloud.offload.desk import Desk
from cloud.offload.listening import open_port
from cloud.offload.protocol import Answer, Ask
from cloud.processes import ONE_THREAD
from cloud.settings import settings_from
from edge_agent.clock import SystemClock


class Looker:
    """Looks at pictures that come in at a port of its own: calls of Ray cost the keeper five times more."""

    def __init__(self, plan_json: str, token: bytes) -> None:
        """Load what looks; detectors come with the greeting.

        Args:
            plan_json: A `CachePlan`.
            token: Who asks has to say it.
        """
        # Before libraries that read it: Ray lets them have as many threads as it counts cores for the actor.
        os.environ.update(ONE_THREAD)
        from cloud.offload.eyes import DetectorEyes  # noqa: PLC0415 - torch, seconds

        self._token = token
        self._server: asyncio.Server | None = None
        eyes = DetectorEyes.of_this_machine(_here(CachePlan.model_validate_json(plan_json)))
        self._desk = Desk(eyes, SystemClock(), most=eyes.most_at_once)

    async def greet(self, folders: Sequence[str]) -> tuple[str, str, int]:
        """Return machine, host and port once these detectors are ready.

        What is wrong with one of them, who asks is told.
        """
        await asyncio.gather(*(self._load(Path(folder)) for folder in folders))
        if self._server is None:
            host = ray.util.get_node_ip_address()
            self._server = await open_port(host, self._token, self._desk)
        host, port = self._server.sockets[0].getsockname()[:2]
        return ray.get_runtime_context().get_node_id(), host, port

    async def _load(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()

        def reply(_answer: Answer) -> None:
            # The loop may be closed when the actor is told to end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ready.set)

        self._desk.take(Ask(number=0, kind="load", folder=folder), b"", reply)
        await ready.wait()


def _here(plan: CachePlan) -> CachePlan:
    """Return a plan as this machine carries it out: with the home folder that its own variables name.

    Without an object store the cloud's home is where detectors are: all machines see it under one name.
    """
    return plan if plan.object_store is None else plan.model_copy(update={"home": settings_from().home})
