"""Workers as processes of this machine."""

from __future__ import annotations

from cloud.cache.plan import CachePlan
from cloud.jobs import command as jobs
from cloud.offload.pool import WorkerPool, worker_command
from cloud.settings import Settings
from cloud.store.database import Database
from cloud.streams.pool import StreamPool
from edge_agent.clock import Clock


class LocalEngine:
    """Runs workers as children of the web process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers of this machine."""
        command = worker_command(CachePlan.of(self._settings))
        return WorkerPool.supervised(self._settings.offload_workers, command, clock)

    def stream_pool(self, database: Database, clock: Clock) -> StreamPool:
        """Return workers of this machine."""
        return StreamPool(self._settings, database, clock)

    @property
    def job_command(self) -> jobs.Command:
        """Return what starts a job on this machine."""
        return jobs.worker_command
