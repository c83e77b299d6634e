"""A cloud that has grown: tables and jobs in PostgreSQL, detectors in S3, streams watched by another machine.

The server, its workers and the other machine are real processes; S3 is moto's.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from edge_agent.clock import SystemClock
from tests.cloud.api.conftest import Camera
from tests.cloud.training.scenes import draw_scene
from tests.fakes.rtsp_server import RtspServer
from tests.system.loop import wait_until
from tests.system.portal_server import PortalServer, jpeg_of
from tests.system.postgres import Postgres, postgres_server

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(2700)]

BUCKET = "owls"
_PATIENCE_S = 1200.0


@dataclass
class Grown:
    """The server, and what it keeps its things in."""

    server: PortalServer
    database: Postgres
    objects: Any

    def stored(self) -> list[str]:
        return [one["Key"] for one in self.objects.list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def run_job(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        job = self.server.http.post(path, json=body).raise_for_status().json()

        def ended() -> bool:
            return self.job(job["id"])["state"] not in {"queued", "running"}

        wait_until(ended, _PATIENCE_S, lambda: self.job(job["id"]))
        found = self.job(job["id"])
        assert found["state"] == "done", found
        result: dict[str, Any] = found["result"]
        return result

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.server.get(f"/jobs/{job_id}")
        return found


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    endpoint = "http://{}:{}".format(*store.get_host_and_port())
    with postgres_server() as database, pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "ELFOWL_DATABASE": database.url,
            "ELFOWL_OBJECT_STORE": f"s3://{BUCKET}/{secrets.token_hex(4)}",
            "ELFOWL_STREAM_WORKERS": "0",
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
        server = PortalServer(tmp_path_factory.mktemp("grown"))
        server.start()
        yield Grown(server, database, objects)
        server.stop()
    store.stop()


@pytest.fixture(scope="module")
def detector_id(grown: Grown, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Teach a detector by four drawn scenes."""
    folder, server = tmp_path_factory.mktemp("scenes"), grown.server
    made = server.add_detector("blocks", ["red"])
    for number in range(4):
        scene = draw_scene(folder, number)
        files = {"file": (scene.source.name, scene.source.path.read_bytes())}
        medium = server.http.post(f"/detectors/{made}/media", files=files).raise_for_status().json()["id"]
        boxes = [{"label": box.label, "box": box.box_xyxy_norm} for box in scene.boxes]
        said = {"revision": 0, "boxes": boxes}
        server.http.put(f"/media/{medium}/frames/0/labels", json=said).raise_for_status()
    grown.run_job(f"/detectors/{made}/train", {})
    return made


def test_detector_is_taught_compressed_and_asked_with_postgresql_and_s3(
    grown: Grown, detector_id: str
) -> None:
    server = grown.server
    bundle = grown.run_job(f"/detectors/{detector_id}/compress", {"profile": "x86-64"})["bundle"]
    assert server.http.post(f"/detectors/{detector_id}/publish", json={"bundle": bundle}).is_success
    reply = asked(server, detector_id)
    assert (reply["detector"]["id"], reply["detector"]["version"]) == (detector_id, 1)
    assert any(detector_id in key for key in grown.stored()), "its answer came out of the bucket"
    assert not list(server.home.glob("*.sqlite")), "nothing is in a file of its own"


def asked(server: PortalServer, detector_id: str) -> dict[str, Any]:
    """Return what the cloud answers a camera that joins and is in doubt."""

    class Reached:
        client = httpx.Client(base_url=server.url)
        clock = SystemClock()

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


def test_another_machine_watches_on_while_the_database_is_away(
    grown: Grown, detector_id: str, tmp_path: Path
) -> None:
    asked(grown.server, detector_id)  # brings the detector into the bucket, if nobody did yet
    program = str(Path(sys.executable).with_name("elfowl-cloud"))
    command = [program, "worker", "--processes", "1", "--home", str(tmp_path / "elsewhere")]
    with RtspServer() as camera, subprocess.Popen(command) as machine:
        body = {"name": "yard", "address": camera.url, "detectors": ["blocks"]}
        try:
            grown.server.http.post("/streams", json=body).raise_for_status()
            wait_until(lambda: status(grown) == "watched", _PATIENCE_S, lambda: status(grown))
            grown.database.stop()
            SystemClock().sleep(6.0)  # longer than a lease holds
            grown.database.start()
            back_s = SystemClock().now_s()
            wait_until(lambda: watched_s(grown) > back_s, _PATIENCE_S, lambda: status(grown))
            assert not {"lost", "stopped"} & {gap["kind"] for gap in gaps(grown)}, "it watched on meanwhile"
        finally:
            machine.send_signal(signal.SIGTERM)
            machine.wait(120)
    assert gaps(grown)[0]["kind"] == "stopped", "it said goodbye"
    assert not (tmp_path / "elsewhere" / "detectors").exists(), "the detector came out of the bucket"


def status(grown: Grown) -> str:
    answer = grown.server.http.get("/streams/yard")
    return str(answer.json().get("state")) if answer.is_success else answer.text


def gaps(grown: Grown) -> list[dict[str, Any]]:
    answer = grown.server.http.get("/streams/yard/gaps")
    found: list[dict[str, Any]] = answer.json() if answer.is_success else []
    return found


def watched_s(grown: Grown) -> float:
    """Return until when the stream is known to have been watched; 0 while the server cannot tell."""
    answer = grown.server.http.get("/streams/yard")
    return float(answer.json()["watched"]) if answer.is_success else 0.0
