"""What the web process needs of whoever runs the workers that answer cameras."""

from __future__ import annotations

from typing import Protocol

from cloud.engine.local import LocalEngine
from cloud.offload.pool import WorkerPool
from cloud.settings import Settings
from edge_agent.clock import Clock


class Engine(Protocol):
    """Starts workers somewhere, watches over them and starts them again; the pool spreads the work."""

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers that answer pictures; they are started with the pool.

        Raises:
            ConfigError: They cannot be run as the settings say.
        """
        ...


def choose_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name.

    Raises:
        ConfigError: It is not installed.
    """
    if settings.engine == "local":
        return LocalEngine(settings)
    from cloud.engine.ray_engine import RayEngine  # noqa: PLC0415 - seconds, and not installed everywhere

    return RayEngine(settings)
