"""Workers as processes of this machine."""

from __future__ import annotations

from cloud.cache.plan import CachePlan
from cloud.offload.pool import WorkerPool, worker_command
from cloud.settings import Settings
from edge_agent.clock import Clock


class LocalEngine:
    """Runs workers as children of the web process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers of this machine."""
        command = worker_command(CachePlan.of(self._settings))
        return WorkerPool.supervised(self._settings.offload_workers, command, clock)
