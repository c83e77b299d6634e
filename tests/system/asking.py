"""Cameras that ask a real cloud what is in a picture: once, or as fast as they are answered."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

import httpx

from edge_agent.clock import SystemClock
from tests.cloud.api.conftest import Camera
from tests.system.portal_server import PortalServer, jpeg_of

CLOCK = SystemClock()
ASKERS = 3
_DEADLINE_MS = 60_000


@dataclass(frozen=True)
class _Reached:
    """What `Camera` needs of a cloud."""

    client: httpx.Client
    clock: SystemClock = CLOCK


class Asker:
    """A camera that joined."""

    def __init__(self, server: PortalServer, name: str) -> None:
        self._client = httpx.Client(base_url=server.url, timeout=2 * _DEADLINE_MS / 1e3)
        self._camera = Camera(_Reached(self._client), name)  # type: ignore[arg-type]
        token = server.http.post("/enrolment-tokens").json()["token"]
        assert self._camera.enrol(token) == httpx.codes.OK

    def ask(self, detector_id: str) -> httpx.Response:
        request = {
            "request_id": secrets.token_hex(8), "device": self._camera.name, "camera": "front",
            "detector_id": detector_id, "reason": "unsure", "deadline_ms": _DEADLINE_MS, "frame_time": 1.0,
        }  # fmt: skip
        parts: dict[str, Any] = {
            "request": (None, json.dumps(request), "application/json"),
            "image": ("frame.jpg", jpeg_of(1), "image/jpeg"),
        }
        return self._client.post("/api/v1/offload", files=parts, headers=self._camera.headers())


def asked(server: PortalServer, detector_id: str) -> dict[str, Any]:
    """Return what the cloud answers a camera that joins and is in doubt."""
    answer = Asker(server, f"door-{secrets.token_hex(3)}").ask(detector_id)
    assert answer.status_code == httpx.codes.OK, answer.text
    found: dict[str, Any] = answer.json()
    return found


@dataclass
class Load:
    """Cameras that ask as fast as they are answered, and ask again when nobody answers, as in a power cut.

    `again` has what made them ask again, `late` what was said last to those whose time was over.
    """

    server: PortalServer
    detector_id: str
    answered: int = 0
    again: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    _going: bool = True
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for number in range(ASKERS):
            asker = Asker(self.server, f"camera-{number}")
            self._threads.append(threading.Thread(target=self._ask, args=(asker,), daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._going = False
        for thread in self._threads:
            thread.join(2 * _DEADLINE_MS / 1e3)

    def _ask(self, asker: Asker) -> None:
        while self._going:
            until_s = CLOCK.monotonic_s() + _DEADLINE_MS / 1e3
            said = "nothing"
            while said != "answered" and CLOCK.monotonic_s() < until_s:
                said = self._said(asker)
                if said != "answered" and self._going:
                    self.again.append(said)
            if said == "answered":
                self.answered += 1
            elif self._going:
                self.late.append(said)

    def _said(self, asker: Asker) -> str:
        try:
            answer = asker.ask(self.detector_id)
        except httpx.TransportError as error:
            CLOCK.sleep(0.2)
            return type(error).__name__
        if answer.status_code == httpx.codes.OK:
            return "answered"
        CLOCK.sleep(0.2)
        return answer.text
