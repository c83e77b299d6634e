"""A real server on a home folder of its own, and what tests put into it."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
from PIL import Image

from cloud.ingest.batches import store_batch
from cloud.store import corrections, devices
from cloud.store.database import open_database
from cloud.store.tables import Device
from edge_agent.clock import SystemClock
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.sync import BatchItem, EventBatch
from tests.fakes.events import make_event
from tests.system.mosquitto import free_port

_START_S = 240


def jpeg_of(seed: int, width_px: int = 320, height_px: int = 240) -> bytes:
    """Return a picture with one bright box on a dark ground; another one for each seed."""
    picture = np.full((height_px, width_px, 3), 40 + 10 * (seed % 8), np.uint8)
    picture[60:160, 80 : 160 + seed] = (230, 170, 40)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG")
    return stream.getvalue()


class PortalServer:
    """Starts `elfowl-cloud serve` and speaks to it as tests do."""

    def __init__(self, folder: Path, accounts: Literal["on", "off"] = "off") -> None:
        self._accounts = accounts
        self.home = folder / "home"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.broker_port = 0
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._seq = 0
        self.http = httpx.Client(base_url=self.url + "/api/v1", timeout=60)

    def start(self) -> None:
        port = self.url.rpartition(":")[2]
        self.broker_port = free_port()
        program = str(Path(sys.executable).with_name("elfowl-cloud"))
        command = [
            program,
            "serve",
            "--home",
            str(self.home),
            "--port",
            port,
            "--broker-port",
            str(self.broker_port),
            "--accounts",
            self._accounts,
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        end_s = time.monotonic() + _START_S
        while time.monotonic() < end_s:
            assert self._process.poll() is None, self._log.read_text()
            try:
                if self.http.get("/health").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        # Whoever waits no longer leaves nothing running.
        self._process.kill()
        message = f"the server did not come up: {self._log.read_text()}"
        raise AssertionError(message)

    def kill(self) -> None:
        """End it as a power cut would; `start` starts it again."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def last_words(self) -> str:
        """Return what helps to understand a failure."""
        return self._log.read_text()[-3000:]

    def resident_bytes(self) -> int:
        return self._memory_bytes("VmRSS")

    def peak_bytes(self) -> int:
        return self._memory_bytes("VmHWM")

    def _memory_bytes(self, kind: str) -> int:
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))

    def stop(self) -> None:
        self.http.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def add_detector(self, name: str, labels: list[str], pictures: int = 0) -> str:
        answer = self.http.post("/detectors", json={"name": name, "labels": labels}).raise_for_status()
        detector_id = str(answer.json()["id"])
        for seed in range(pictures):
            files = {"file": (f"{name}-{seed}.jpg", jpeg_of(seed))}
            self.http.post(f"/detectors/{detector_id}/media", files=files).raise_for_status()
        return detector_id

    def add_device(self, name: str) -> None:
        with open_database(self.home / "elfowl.sqlite").write() as session:
            fields = {"profile": "pi-4", "arch": "aarch64", "agent_version": "0.1.0", "state": "enrolled"}
            devices.enrol(
                session, Device(name=name, public_key_pem="none", enrolled=SystemClock().now_s(), **fields)
            )

    def add_event(self, number: int, detector_id: str) -> str:
        event = make_event(number).model_copy(
            update={"detector": DetectorRef(id=detector_id, name="cup", version=1)}
        )
        self._seq += 1
        item = BatchItem(
            seq=self._seq, event=event, thumbnail_jpeg_base64=base64.b64encode(jpeg_of(number)).decode()
        )
        with open_database(self.home / "elfowl.sqlite").write() as session:
            batch = EventBatch(device="porch", epoch="epoch-1", items=(item,))
            store_batch(session, batch, now_s=SystemClock().now_s())
        return event.id

    def add_key_frame(self, correction_id: str) -> None:
        path = self.home / "media" / f"{correction_id}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg_of(1))
        with open_database(self.home / "elfowl.sqlite").write() as session:
            corrections.note_key_frame(session, correction_id, str(path.relative_to(self.home)), None)
