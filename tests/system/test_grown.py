"""A cloud that has grown: tables in PostgreSQL, detectors in S3, work done in a cluster of Ray: two nodes.

Server, workers and nodes are real processes; S3 is moto's. The same main path on one machine, with SQLite and
its own disk: `test_main_path.py`.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest
from moto.server import ThreadedMotoServer

from edge_agent.clock import SystemClock
from tests.cloud.api.conftest import Camera
from tests.fakes.rtsp_server import RtspServer
from tests.system.drawn_lesson import add_drawn_lesson
from tests.system.loop import wait_until
from tests.system.portal_server import PortalServer, jpeg_of
from tests.system.postgres import Postgres, postgres_server
from tests.system.ray_cluster import RayCluster, ray_cluster

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(2700)]

BUCKET = "owls"
CLOCK = SystemClock()
_PATIENCE_S = 1200.0
_AWAY_S = 10.0
_LEASE_S = 4.0


@dataclass
class Grown:
    """The server, what it keeps its things in, and where its work is done."""

    server: PortalServer
    database: Postgres
    objects: Any
    cluster: RayCluster
    nodes_home: Path

    def stored(self) -> list[str]:
        return [one["Key"] for one in self.objects.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def run_job(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        """Let a job run to its end; it must have been seen in the cluster."""
        job = self.server.http.post(path, json=body).raise_for_status().json()
        kind, seen = str(job["kind"]), set[str]()

        def ended() -> bool:
            seen.update(parent_of_jobs(kind))
            return self.job(job["id"])["state"] not in {"queued", "running"}

        wait_until(ended, _PATIENCE_S, lambda: (self.job(job["id"]), self.server.last_words()))
        found = self.job(job["id"])
        assert found["state"] == "done", (found, self.server.last_words())
        assert seen == {"ray::run"}, "it runs on a node"
        result: dict[str, Any] = found["result"]
        return result

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.get(f"/jobs/{job_id}")
        return found

    def stream(self) -> dict[str, Any]:
        answer = self.server.http.get("/streams/yard")
        found: dict[str, Any] = answer.json() if answer.is_success else {"state": answer.text}
        return found

    def is_watched_since(self, moment_s: float) -> bool:
        found = self.stream()
        return found["state"] == "watched" and float(found["watched"]) > moment_s

    def gaps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.get("/streams/yard/gaps")
        return found


def watchers() -> set[int]:
    """Return the processes that watch streams in the cluster, or are about to."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found |= {process.pid} if "Watcher" in process.name() else set()
    return found


def parent_of_jobs(kind: str) -> set[str]:
    """Return by what the processes of jobs of a kind were started, as far as these still run."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
            if command[1:4] == ["-m", "cloud.worker", kind]:
                found.add(process.parent().name().rpartition("()")[0] or process.parent().name())
        except (psutil.Error, AttributeError):
            continue
    return found


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    folder = tmp_path_factory.mktemp("grown")
    with (
        postgres_server() as database,
        object_store() as endpoint,
        pytest.MonkeyPatch.context() as environment,
    ):
        for name, value in {
            "ELFOWL_DATABASE": database.url,
            "ELFOWL_OBJECT_STORE": f"s3://{BUCKET}/{secrets.token_hex(4)}",
            "ELFOWL_STREAM_HOSTS": "127.0.0.1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": endpoint,
            "AWS_ALLOW_HTTP": "true",
        }.items():
            environment.setenv(name, value)
        objects = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        objects.create_bucket(Bucket=BUCKET)
        with ray_cluster(folder / "nodes", cores=4) as cluster:
            for _ in range(2):
                cluster.add_node()
            for name, value in {
                "ELFOWL_ENGINE": "ray",
                "ELFOWL_JOBS_ENGINE": "ray",
                "ELFOWL_RAY_ADDRESS": cluster.address,
                "ELFOWL_OFFLOAD_WORKERS": "2",
                "ELFOWL_STREAM_WORKERS": "2",
            }.items():
                environment.setenv(name, value)
            server = PortalServer(folder)
            server.start()
            yield Grown(server, database, objects, cluster, folder / "nodes")
            server.stop()


@contextmanager
def object_store() -> Iterator[str]:
    """Run what speaks S3; gives its address."""
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    yield "http://{}:{}".format(*store.get_host_and_port())
    store.stop()


def teach(grown: Grown, folder: Path) -> str:
    """Teach a detector by four drawn scenes."""
    made = add_drawn_lesson(grown.server, folder)
    grown.run_job(f"/detectors/{made}/train", {})
    return made


def test_cluster_teaches_compresses_answers_and_watches_and_goes_on_when_a_node_dies(
    grown: Grown, tmp_path: Path
) -> None:
    server, taken_s = grown.server, CLOCK.now_s()
    detector_id = teach(grown, tmp_path)
    bundle = grown.run_job(f"/detectors/{detector_id}/compress", {"profile": "x86-64"})["bundle"]
    assert server.http.post(f"/detectors/{detector_id}/publish", json={"bundle": bundle}).is_success

    reply = asked(server, detector_id)
    assert (reply["detector"]["id"], reply["detector"]["version"]) == (detector_id, 1)
    assert any(detector_id in key for key in grown.stored()), "its answer came out of the bucket"
    assert not (grown.nodes_home / "detectors").exists()
    assert list((grown.nodes_home / "cache" / "models").rglob("*.*")), "to machines that have no other"
    assert not list(server.home.glob("*.sqlite")), "nothing is in a file of its own"

    with RtspServer() as camera:
        body = {"name": "yard", "address": camera.url, "detectors": ["blocks"]}
        server.http.post("/streams", json=body).raise_for_status()
        wait_until(lambda: grown.is_watched_since(taken_s), _PATIENCE_S, grown.stream)
        outlive_the_head(grown, detector_id)
        outlive_the_server(grown)

        before, there = worker_of(grown), watchers()
        grown.cluster.kill_node_of(before)
        killed_s = CLOCK.now_s()
        wait_until(lambda: grown.is_watched_since(killed_s), _PATIENCE_S, grown.stream)
        back_s = CLOCK.now_s() - killed_s
        wait_until(lambda: bool(watchers() - there), _PATIENCE_S, watchers)
        assert worker_of(grown) != before
        assert asked(server, detector_id)["detector"]["id"] == detector_id
        lost = [gap for gap in grown.gaps() if gap["kind"] == "lost"]
        assert len(lost) == 1
        print(f"watched again {back_s:.1f} s after its node died")  # noqa: T201 - a figure for people


def outlive_the_head(grown: Grown, detector_id: str) -> None:
    """Check that cameras are answered and a stream is watched while the cluster's head is away, and after."""
    began_s, holder = CLOCK.now_s(), worker_of(grown)
    grown.cluster.kill_head()
    CLOCK.sleep(_AWAY_S)
    assert asked(grown.server, detector_id)["detector"]["id"] == detector_id
    check_watched_on(grown, holder, began_s)
    grown.cluster.start_head()
    check_watched_on(grown, holder, began_s)


def outlive_the_server(grown: Grown) -> None:
    """Check that a stream is watched on when the server is killed, and that the next one takes it over."""
    began_s, holder = CLOCK.now_s(), worker_of(grown)
    grown.server.kill()
    grown.server.start()
    check_watched_on(grown, holder, began_s)


def check_watched_on(grown: Grown, holder: int, since_s: float) -> None:
    now_s = CLOCK.now_s()
    wait_until(lambda: grown.is_watched_since(now_s), _PATIENCE_S, grown.stream)
    assert worker_of(grown) == holder
    began = {gap["kind"] for gap in grown.gaps() if gap["began"] > since_s - _LEASE_S}
    assert not {"lost", "stopped", "starting"} & began


def test_another_machine_comes_to_watch_and_goes_in_order(grown: Grown, tmp_path: Path) -> None:
    assert grown.database.url
    program = str(Path(sys.executable).with_name("elfowl-cloud"))
    command = [program, "worker", "--processes", "1", "--home", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as machine:
        assert machine.stderr is not None
        assert any("watching with 1 processes" in line for line in iter(machine.stderr.readline, ""))
        machine.send_signal(signal.SIGTERM)
        assert machine.wait(120) == 0


def worker_of(grown: Grown) -> int:
    """Return which process watches the stream."""
    return int(grown.stream()["worker"].rpartition(".")[2])


def asked(server: PortalServer, detector_id: str) -> dict[str, Any]:
    """Return what the cloud answers a camera that joins and is in doubt."""

    class Reached:
        client = httpx.Client(base_url=server.url)
        clock = CLOCK

    name = f"door-{secrets.token_hex(3)}"
    camera = Camera(Reached, name)  # type: ignore[arg-type]
    assert camera.enrol(server.http.post("/enrolment-tokens").json()["token"]) == httpx.codes.OK
    request = {
        "request_id": "request-1", "device": name, "camera": "door", "detector_id": detector_id,
        "reason": "unsure", "deadline_ms": 60_000, "frame_time": 1.0,
    }  # fmt: skip
    parts: dict[str, Any] = {
        "request": (None, json.dumps(request), "application/json"),
        "image": ("frame.jpg", jpeg_of(1), "image/jpeg"),
    }
    answer = Reached.client.post("/api/v1/offload", files=parts, headers=camera.headers(), timeout=120.0)
    assert answer.status_code == httpx.codes.OK, answer.text
    found: dict[str, Any] = answer.json()
    return found
