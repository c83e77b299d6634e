"""Workers as actors of Ray; the web process itself does not load it.

A process of its own keeps the actors and leads questions to them (`cloud.engine.ray_keeper`): Ray's library
ends the process that it is in when its cluster is gone for a minute, which must not be the web process.
"""

from __future__ import annotations

import importlib.util
import sys

from cloud.cache.plan import CachePlan
from cloud.engine.keeping import KeeperPlan
from cloud.offload.pool import WorkerPool
from cloud.settings import Settings
from edge_agent.clock import Clock
from edge_agent.errors import ConfigError


class RayEngine:
    """Runs workers in a cluster, on whichever of its machines have room."""

    def __init__(self, settings: Settings) -> None:
        """Prepare.

        Raises:
            ConfigError: Ray is not installed.
        """
        if importlib.util.find_spec("ray") is None:
            message = "ELFOWL_ENGINE=ray needs Ray: pip install 'elfowl[cluster]', or set ELFOWL_ENGINE=local"
            raise ConfigError(message)
        self._workers = settings.offload_workers
        self._plan = KeeperPlan(
            cache=CachePlan.of(settings), address=settings.ray_address, gpus=settings.offload_gpus
        )

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers of the cluster."""
        command = [sys.executable, "-m", "cloud.engine.ray_keeper", self._plan.model_dump_json()]
        return WorkerPool.kept(self._workers, lambda sockets: [*command, *map(str, sockets)], clock)
