"""Workers in a cluster of Ray; the web process itself does not load it.

Processes of their own keep actors there and lead questions to them (`ray_keeper`), keep those that watch
streams (`ray_watchers`) and follow a job (`ray_job`): Ray's library ends the process that it is in when its
cluster is gone for a minute, which must not be the web process.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from cloud.cache.plan import CachePlan
from cloud.engine.keeping import KeeperPlan
from cloud.jobs import command as jobs
from cloud.offload.pool import WorkerPool
from cloud.settings import Settings
from cloud.store.database import Database
from cloud.store.tables import Job
from cloud.streams.pool import StreamPool
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
        self._settings = settings
        self._plan = KeeperPlan(
            cache=CachePlan.of(settings),
            address=settings.ray_address,
            gpus=settings.offload_gpus,
            workers=settings.offload_workers,
        )

    def offload_pool(self, clock: Clock) -> WorkerPool:
        """Return workers of the cluster."""
        command = [sys.executable, "-m", "cloud.engine.ray_keeper", self._plan.model_dump_json()]
        count = self._settings.most_offload_workers
        return WorkerPool.kept(count, lambda sockets: [*command, *map(str, sockets)], clock)

    def stream_pool(self, database: Database, clock: Clock) -> StreamPool:
        """Return workers of the cluster; of this machine, where only it has the tables."""
        if self._settings.database is None or self._settings.stream_workers == 0:
            return StreamPool(self._settings, database, clock)
        return StreamPool(self._settings, database, clock, command=watchers_command, processes=1)

    @property
    def job_command(self) -> jobs.Command:
        """Return what follows a job in the cluster, where its machines have the home folder, too."""
        return job_command if self._settings.jobs_engine == "ray" else jobs.worker_command


def watchers_command(seat: Path) -> list[str]:
    """Return what keeps workers that watch streams."""
    return [sys.executable, "-m", "cloud.engine.ray_watchers", str(seat)]


def job_command(job: Job) -> list[str]:
    """Return what lets a job run in the cluster, and says what it says; short ones are quicker here."""
    here = jobs.worker_command(job)
    if job.kind in jobs.MEDIA_KINDS:
        return here
    _, _, _, *arguments = here
    return [sys.executable, "-m", "cloud.engine.ray_job", *arguments]
