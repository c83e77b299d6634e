"""What the web process needs of whoever runs its workers."""

from __future__ import annotations

from typing import Protocol

from cloud.engine.local import LocalEngine
from cloud.engine.ray_engine import RayEngine
from cloud.jobs.command import Command
from cloud.offload.pool import WorkerPool
from cloud.settings import Settings
from cloud.store.database import Database
from cloud.streams.pool import StreamPool
from edge_agent.clock import Clock


class Engine(Protocol):
    """Runs workers somewhere and starts them again when they die."""

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers that answer pictures; they are started with the pool, and end with it."""
        ...

    def stream_pool(self, database: Database, clock: Clock) -> StreamPool:
        """Return workers that watch streams; they are started with the pool, and end with it."""
        ...

    @property
    def job_command(self) -> Command:
        """Return what starts a job."""
        ...


def choose_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name.

    Raises:
        ConfigError: It is not installed.
    """
    return LocalEngine(settings) if settings.engine == "local" else RayEngine(settings)
