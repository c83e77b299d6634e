"""Workers as actors of a Ray cluster: on any of its machines, started again when they or their machine die.

Ray's ports let whoever reaches them run anything: keep the cluster behind a firewall.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

from cloud.cache.figures import TierFigures
from cloud.cache.plan import CachePlan
from cloud.engine.placement import Share, share_of_worker
from cloud.offload.link import LinkLostError
from cloud.offload.pool import WorkerPool
from cloud.offload.protocol import Answer, Ask
from cloud.settings import Settings
from edge_agent.clock import Clock
from edge_agent.errors import ConfigError

_LOG = logging.getLogger(__name__)
_AGAIN_S = 0.2
_AT_ONCE = 1000


class RayEngine:
    """Runs workers in the cluster that `RAY_ADDRESS` names, or in the one of this machine."""

    def __init__(self, settings: Settings) -> None:
        """Join the cluster.

        Raises:
            ConfigError: Ray is not installed, or no cluster is there.
        """
        self._settings = settings
        self._ray = _joined()

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers of the cluster."""
        plan, share = CachePlan.of(self._settings), self._share()
        links = [RayLink(self._ray, plan, share) for _ in range(self._settings.offload_workers)]
        return WorkerPool(links, clock)

    def _share(self) -> Share:
        has_gpu = self._ray.cluster_resources().get("GPU", 0.0) > 0.0
        # Ray does not tell how much memory they have: the budget is taken for half of one.
        budget = self._settings.model_gpu_bytes
        return share_of_worker(budget, 2 * budget + 3_000_000_000 if has_gpu else None)


class RayLink:
    """The service's side of one actor; does for `WorkerPool` what `WorkerLink` does."""

    silent_s = 0.0
    """Ray itself finds out who hangs no more than who is dead: a picture's deadline ends the waiting."""

    def __init__(self, ray: Any, plan: CachePlan, share: Share) -> None:  # noqa: ANN401 - the library
        self._ray, self._plan, self._share = ray, plan, share
        self._actor: Any = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._lost = asyncio.Event()
        self.is_up = False
        self.under_way = 0
        self.process_id = 0

    def start(self, changed: asyncio.Event) -> None:
        """Begin to run the actor; `changed` is set whenever it comes up."""
        self._changed = changed
        looker = importlib.import_module("cloud.engine.ray_actor").Looker
        options = {"num_cpus": self._share.num_cpus, "num_gpus": self._share.num_gpus}
        remote = self._ray.remote(looker).options(
            **options,
            max_restarts=-1,
            max_concurrency=_AT_ONCE,
            scheduling_strategy="SPREAD",
        )
        self._actor = remote.remote(self._plan.model_dump_json())
        self._task = asyncio.get_running_loop().create_task(self._keep_up())

    async def stop(self) -> None:
        """End the actor for good."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._ray.kill(self._actor, no_restart=True)
        self.is_up = False

    def tell(self, folder: Path) -> None:
        """Let the worker get a detector ready; one that is not there yet finds it by itself."""
        if self.is_up:
            self._actor.load.remote(str(folder))

    async def ask(self, folder: Path, jpeg: bytes, left_ms: float, *, alone: bool) -> Answer:
        """Return the worker's answer to one picture.

        Raises:
            LinkLostError: The worker is not there, or went away meanwhile.
        """
        return await self._ask(Ask(number=0, folder=folder, left_ms=left_ms, alone=alone), jpeg)

    async def figures(self) -> tuple[TierFigures, ...]:
        """Return what happened in the worker's model cache.

        Raises:
            LinkLostError: The worker is not there, or went away meanwhile.
        """
        return (await self._ask(Ask(number=0, kind="figures"))).tiers or ()

    async def _ask(self, ask: Ask, payload: bytes = b"") -> Answer:
        if not self.is_up:
            raise LinkLostError
        self.under_way += 1
        try:
            text = await self._actor.answer.remote(ask.model_dump_json(), payload)
        except self._ray.exceptions.RayError as error:
            # Dead, or out of reach: another one is asked, and this one again once it greets.
            self.is_up = False
            self._lost.set()
            raise LinkLostError from error
        finally:
            self.under_way -= 1
        return Answer.model_validate_json(text)

    async def _keep_up(self) -> None:
        """Greet until somebody answers, again whenever the worker was lost."""
        while True:
            try:
                self.process_id = await self._actor.greet.remote()
            except self._ray.exceptions.RayError as error:
                _LOG.warning(
                    "an offload worker of the cluster is being started again: %s", type(error).__name__
                )
                await asyncio.sleep(_AGAIN_S)
                continue
            self._lost.clear()
            self.is_up = True
            self._changed.set()
            await self._lost.wait()


def _joined() -> Any:  # noqa: ANN401 - the library
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        message = "ELFOWL_ENGINE=ray needs Ray: pip install 'elfowl[cluster]', or ELFOWL_ENGINE=local"
        raise ConfigError(message) from error
    on_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=os.environ.get("RAY_ADDRESS", "auto"),
            namespace="elfowl",
            ignore_reinit_error=True,
            configure_logging=False,
            log_to_driver=False,
        )
    except ConnectionError as error:
        message = "ELFOWL_ENGINE=ray: no cluster answers; start one (ray start --head), or set RAY_ADDRESS"
        raise ConfigError(message) from error
    if on_main:
        # Ray would end this process at once; the server ends in order.
        signal.signal(signal.SIGTERM, before)
    return ray
