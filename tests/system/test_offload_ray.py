"""kill -9 of an offload worker in a cluster of Ray, then of its node, under load; no picture is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pytest
from moto.server import ThreadedMotoServer

from cloud.engine.ray_engine import RayEngine
from cloud.offload.service import OffloadService
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from tests.cloud.offload.seers import question
from tests.system.loop import wait_until
from tests.system.ray_cluster import RayCluster, ray_cluster
from tests.system.test_offload_kill import PICTURE, Crowd, save_small, until, wait_for_more

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

_UP_S = 400.0
_DEADLINE_MS = 60_000


@pytest.fixture(scope="module")
def nodes_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home folder that the nodes have, which is not the cloud's."""
    return tmp_path_factory.mktemp("nodes")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Let detectors be kept in what speaks S3; nodes that start later know how to reach it."""
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": "http://{}:{}".format(*store.get_host_and_port()),
            "AWS_ALLOW_HTTP": "true",
        }.items():
            environment.setenv(name, value)
        boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT"]).create_bucket(Bucket="owls")
        yield "s3://owls/ray"
    store.stop()


@pytest.fixture(scope="module")
def cluster(nodes_home: Path, bucket: str) -> Iterator[RayCluster]:
    assert bucket, "its address is known before the nodes start"
    with ray_cluster(nodes_home) as cluster:
        for _ in range(2):
            cluster.add_node()
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


def test_picture_is_answered_by_a_machine_that_has_the_detector_only_out_of_the_bucket(
    cluster: RayCluster, bucket: str, nodes_home: Path, tmp_path: Path
) -> None:
    save_small(tmp_path)
    settings = Settings(
        home=tmp_path, engine="ray", ray_address=cluster.address, object_store=bucket, offload_workers=1
    )

    async def run() -> None:
        service = OffloadService(
            settings, SystemClock(), pool=RayEngine(settings).offload_pool(SystemClock())
        )
        try:
            service.warm()
            await until(lambda: service.figures()["workers"] == 1, _UP_S)
            assert (await service.answer(question(_DEADLINE_MS), PICTURE)).detector.id == "d1"
        finally:
            await service.stop()

    asyncio.run(run())
    assert not (nodes_home / "detectors").exists()
    assert any(path.is_file() for path in (nodes_home / "cache" / "models").rglob("*"))
    wait_until(lambda: not actors(), _UP_S, actors)


def test_no_picture_is_lost_when_a_worker_and_then_its_node_die(cluster: RayCluster, tmp_path: Path) -> None:
    save_small(tmp_path)
    # Nodes have room for two each: one lives on, however long the others take to come back.
    settings = Settings(
        home=tmp_path, engine="ray", ray_address=cluster.address, offload_workers=3,
        offload_requests_per_minute=1e6, offload_bytes_per_day=1e12,
    )  # fmt: skip

    async def run() -> None:
        pool = RayEngine(settings).offload_pool(SystemClock())
        service = OffloadService(settings, SystemClock(), pool=pool)
        try:
            service.warm()
            await until(lambda: service.figures()["workers"] == 3, _UP_S)
            crowd = Crowd(service)
            await wait_for_more(crowd)
            os.kill(actors()[0].pid, signal.SIGKILL)
            await wait_for_more(crowd)
            await until(lambda: service.figures()["workers"] == 3, _UP_S)
            await asyncio.to_thread(cluster.kill_node)
            await wait_for_more(crowd)
            # The other node has room for two.
            await until(lambda: service.figures()["workers"] == 2, _UP_S)
            await wait_for_more(crowd)
            await crowd.finish()
            assert crowd.failed == []
            assert service.figures()["retried"] >= 1
        finally:
            await service.stop()

    asyncio.run(run())
    # They end with who asked for them.
    wait_until(lambda: not actors(), _UP_S, actors)
