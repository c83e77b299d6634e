"""What the web process needs of whoever runs the workers that answer cameras."""

from __future__ import annotations

from typing import Protocol

from cloud.engine.local import LocalEngine
from cloud.engine.ray_engine import RayEngine
from cloud.offload.pool import WorkerPool
from cloud.settings import Settings
from edge_agent.clock import Clock


class Engine(Protocol):
    """Runs workers somewhere and starts them again when they die; the pool spreads questions among them."""

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers that answer pictures; they are started with the pool, and end with it."""
        ...


def choose_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name.

    Raises:
        ConfigError: It is not installed.
    """
    return LocalEngine(settings) if settings.engine == "local" else RayEngine(settings)
