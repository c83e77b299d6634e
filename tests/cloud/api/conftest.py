"""A cloud whose routes are real, with fakes for what runs beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from anyio.from_thread import start_blocking_portal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cloud.actions.bundles import open_repository
from cloud.actions.open_home import Home
from cloud.api.services import Services
from cloud.app import create_app
from cloud.fleet.enrolment import GuessLimit
from cloud.ingest.live import LiveFeed
from cloud.settings import Settings
from edge_agent.wire.sync import MqttAccess
from tests.cloud.homes import DEVICE, make_home
from tests.fakes.clock import FakeClock
from tests.fakes.cloud_services import FakeJobs, FakeOffload, FakeTeaching


@dataclass
class Cloud:
    """The app, a browser on this machine, and what stands behind."""

    home: Home
    app: FastAPI
    client: TestClient
    offload: FakeOffload
    teaching: FakeTeaching
    clock: FakeClock
    live: LiveFeed
    hints: list[tuple[str, int]] = field(default_factory=list)
    expected: list[tuple[str, int]] = field(default_factory=list)


class Camera:
    """A device with a key of its own."""

    def __init__(self, cloud: Cloud, name: str = DEVICE) -> None:
        self.name = name
        self.key = Ed25519PrivateKey.generate()
        self._cloud = cloud
        self._count = 0

    @property
    def public_key_pem(self) -> str:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def enrol(self, token: str, profile: str = "pi-4") -> int:
        request = {
            "token": token, "name": self.name, "public_key_pem": self.public_key_pem,
            "profile": profile, "arch": "aarch64", "agent_version": "0.1.0",
        }  # fmt: skip
        return self._cloud.client.post("/api/v1/enrol", json=request).status_code

    def headers(self, **claims: object) -> dict[str, str]:
        self._count += 1
        now_s = self._cloud.clock.now_s()
        usual = {
            "iss": self.name,
            "aud": "elfowl-cloud",
            "iat": now_s,
            "exp": now_s + 60,
            "jti": str(self._count),
        }
        return {"Authorization": f"Bearer {jwt.encode({**usual, **claims}, self.key, algorithm='EdDSA')}"}


def make_cloud(folder: Path, settings: Settings | None = None) -> Cloud:
    clock = FakeClock()
    home = make_home(folder, clock)
    app = create_app(settings or home.settings, clock)
    offload, teaching, live = FakeOffload(), FakeTeaching(), LiveFeed()
    client = TestClient(app, base_url="http://127.0.0.1:8420", raise_server_exceptions=False)
    cloud = Cloud(home, app, client, offload, teaching, clock, live)
    app.state.services = Services(
        settings=settings or home.settings,
        clock=clock,
        database=home.database,
        live=live,
        repository=open_repository(home.settings, clock),
        jobs=FakeJobs(home),
        offload=offload,
        teaching=teaching,
        hint=lambda device, version: cloud.hints.append((device, version)),
        expect=lambda detector_id, version: cloud.expected.append((detector_id, version)),
        mqtt=lambda request: MqttAccess(host=request.url.hostname or "", port=1883),
        health=lambda: {"status": "ok"},
        guesses=GuessLimit(clock),
    )
    return cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = make_cloud(tmp_path)
    # One loop for all requests of a test, as in a server; by itself, the client starts one for each.
    with start_blocking_portal() as made.client.portal:
        yield made


@pytest.fixture(scope="session")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the OpenAPI document, to be read only: the same in every home, it takes a second to make."""
    return create_app(Settings(home=tmp_path_factory.mktemp("document"))).openapi()


@pytest.fixture
def camera(cloud: Cloud) -> Camera:
    camera = Camera(cloud)
    assert camera.enrol(cloud.client.post("/api/v1/enrolment-tokens").json()["token"]) == 200
    return camera
