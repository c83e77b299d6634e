"""kill -9 of an offload worker in a cluster of Ray, then of its node, under load; no picture is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cloud.engine.ray_engine import RayEngine
from cloud.offload.service import OffloadService
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from tests.system.loop import wait_until
from tests.system.ray_cluster import RayCluster, ray_cluster
from tests.system.test_offload_kill import Crowd, save_small, until, wait_for_more

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

_UP_S = 400.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RayCluster]:
    with ray_cluster(tmp_path / "nodes") as cluster:
        yield cluster


def actors() -> list[psutil.Process]:
    """Return the processes that answer pictures."""
    return [one for one in psutil.Process().children(recursive=True) if answers(one)]


def answers(process: psutil.Process) -> bool:
    """Tell whether a process is an actor that has not ended, though who started it may not have noticed."""
    try:
        return "Looker" in process.name() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_no_picture_is_lost_when_a_worker_and_then_its_node_die(cluster: RayCluster, tmp_path: Path) -> None:
    nodes = [cluster.add_node() for _ in range(2)]
    save_small(tmp_path)
    settings = Settings(
        home=tmp_path, engine="ray", ray_address=cluster.address,
        offload_requests_per_minute=1e6, offload_bytes_per_day=1e12,
    )  # fmt: skip

    async def run() -> None:
        pool = RayEngine(settings).offload_pool(SystemClock())
        service = OffloadService(settings, SystemClock(), pool=pool)
        try:
            service.warm()
            await until(lambda: service.figures()["workers"] == 2, _UP_S)
            crowd = Crowd(service)
            await wait_for_more(crowd)
            os.kill(actors()[0].pid, signal.SIGKILL)
            await wait_for_more(crowd)
            await until(lambda: service.figures()["workers"] == 2, _UP_S)
            await asyncio.to_thread(cluster.kill_node, nodes[0])
            await wait_for_more(crowd)
            # The other node has room for both.
            await until(lambda: service.figures()["workers"] == 2, _UP_S)
            await wait_for_more(crowd)
            await crowd.finish()
            assert crowd.failed == []
            assert service.figures()["retried"] >= 1
            assert len(await service.cache_figures()) == 2
        finally:
            await service.stop()

    asyncio.run(run())
    # They end with who asked for them.
    wait_until(lambda: not actors(), _UP_S, actors)
