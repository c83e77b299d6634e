"""The cloud's side of the device API, in memory, for `httpx.MockTransport`."""

from __future__ import annotations

import httpx

from edge_agent.wire.nearby import NearbyCameras
from edge_agent.wire.sync import Desired, Reported


class FakeCloud:
    """Serves a desired state with ETag, takes reports and frames."""

    def __init__(self, device: str = "porch") -> None:
        self.desired = Desired(device=device, version=1)
        self.reports: list[Reported] = []
        self.frames: dict[str, bytes] = {}
        self.nearby: list[NearbyCameras] = []
        self.requests: list[httpx.Request] = []
        self.down = False
        self.body: str | None = None

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.handle))

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.down:
            message = "no route to host"
            raise httpx.ConnectError(message)
        path = request.url.path
        if path == "/api/v1/device/desired":
            return self._desired(request)
        if path == "/api/v1/device/reported":
            self.reports.append(Reported.from_json(request.read()))
            return httpx.Response(204)
        if path.startswith("/api/v1/device/frames/"):
            self.frames[path.rsplit("/", 1)[1]] = request.read()
            return httpx.Response(204)
        if path.startswith("/api/v1/device/nearby/"):
            self.nearby.append(NearbyCameras.from_json(request.read()))
            return httpx.Response(204)
        return httpx.Response(404)

    def _desired(self, request: httpx.Request) -> httpx.Response:
        if self.body is not None:
            return httpx.Response(200, text=self.body)
        etag = f'"{self.desired.version}"'
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304)
        return httpx.Response(200, text=self.desired.to_json(), headers={"ETag": etag})

    def asked(self, path: str) -> int:
        return sum(request.url.path.endswith(path) for request in self.requests)
