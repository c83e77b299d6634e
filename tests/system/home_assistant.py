"""A real Home Assistant in an environment of its own, that tests start, ask, and start again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.system.mosquitto import free_port

VERSION = "2024.3.3"
_REQUIREMENTS = Path(__file__).parent / f"home-assistant-{VERSION}.txt"
_ENVIRONMENT = Path.home() / ".cache" / "elfowl" / f"home-assistant-{VERSION}"
_OWNER = {"username": "owl", "password": "whoo-whoo"}
_CONFIG = """\
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
config:
frontend:
automation: !include automations.yaml
logger: {{default: warning}}
"""

Json = dict[str, Any]


def environment() -> Path:
    """Return an interpreter that has Home Assistant; made once and kept."""
    # Another one, of another version, can be named by hand.
    if named := os.environ.get("ELFOWL_TEST_HOME_ASSISTANT"):
        return Path(named)
    interpreter = _ENVIRONMENT / "bin" / "python"
    if sys.version_info[:2] != (3, 11):
        pytest.skip(f"the pinned packages of Home Assistant {VERSION} are for Python 3.11")
    if not (_ENVIRONMENT / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", _ENVIRONMENT], check=True)
        made = subprocess.run(
            [interpreter, "-m", "pip", "install", "-q", "-r", _REQUIREMENTS],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"Home Assistant cannot be had: {made.stderr.strip().splitlines()[-1]}")
        (_ENVIRONMENT / "complete").touch()
    return interpreter


class HomeAssistant:
    """One instance on a free port of this machine, with its own folder."""

    def __init__(self, folder: Path, *, automations: str = "[]\n", more: str = "") -> None:
        self.port = free_port()
        self.folder = folder
        self._log = folder / "output.log"
        self._python = environment()
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "configuration.yaml").write_text(_CONFIG.format(port=self.port) + more)
        (folder / "automations.yaml").write_text(automations)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bring_blueprints(self, blueprints: Path) -> None:
        shutil.copytree(blueprints, self.folder / "blueprints", dirs_exist_ok=True)

    def start(self) -> None:
        command = [self._python, "-m", "homeassistant", "-c", self.folder]
        if "ELFOWL_TEST_HOME_ASSISTANT" not in os.environ:
            command.append("--skip-pip")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        until_s = time.monotonic() + 240.0
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until_s, self._log.read_text()
            time.sleep(0.2)

    def stop(self) -> None:
        """Let it end by itself: it writes its registries then."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def welcome(self, mqtt_port: int) -> None:
        """Make the owner, and connect to a broker, as a person does in the browser."""
        client_id = f"{self.url}/"
        owner = _OWNER | {"client_id": client_id, "name": "Owl", "language": "en"}
        code = self._post("/api/onboarding/users", owner)["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": client_id}
        answer = httpx.post(f"{self.url}/auth/token", data=grant, timeout=30.0).raise_for_status()
        self._token = answer.json()["access_token"]
        wish = {"type": "auth/long_lived_access_token", "client_name": "tests", "lifespan": 30}
        self._token = str(self.ask(wish))
        flow = self._post("/api/config/config_entries/flow", {"handler": "mqtt"})["flow_id"]
        entry = self._post(
            f"/api/config/config_entries/flow/{flow}", {"broker": "127.0.0.1", "port": mqtt_port}
        )
        assert entry["type"] == "create_entry", entry

    def states(self) -> dict[str, Json]:
        return {state["entity_id"]: state for state in self._get("/api/states").json()}

    def value(self, entity_id: str) -> str | None:
        """Return an entity's state; none when there is no such entity."""
        answer = self._client().get(f"/api/states/{entity_id}")
        return None if answer.status_code == httpx.codes.NOT_FOUND else str(answer.json()["state"])

    def attributes(self, entity_id: str) -> Json:
        found: Json = self._get(f"/api/states/{entity_id}").json()["attributes"]
        return found

    def picture(self, entity_id: str) -> bytes:
        return self._get(self.attributes(entity_id)["entity_picture"]).content

    def call(self, domain: str, service: str, **data: object) -> None:
        self._post(f"/api/services/{domain}/{service}", data)

    def fire(self, event: str, **data: object) -> None:
        self._post(f"/api/events/{event}", data)

    def version(self) -> tuple[int, int]:
        year, month = self._get("/api/config").json()["version"].split(".")[:2]
        return int(year), int(month)

    def rename(self, entity_id: str, name: str) -> None:
        self.ask({"type": "config/entity_registry/update", "entity_id": entity_id, "new_entity_id": name})

    def set_state(self, entity_id: str, state: str) -> None:
        self._post(f"/api/states/{entity_id}", {"state": state})

    def ask(self, wish: Json) -> Any:  # noqa: ANN401 - JSON
        """Ask over the WebSocket."""
        with self._socket() as socket:
            return _ask(socket, wish)

    def hear(self, event_type: str, wanted: Callable[[Json], bool], timeout_s: float = 30.0) -> Json:
        """Wait for an event on Home Assistant's bus, and return its data."""
        until_s = time.monotonic() + timeout_s
        with self._socket() as socket:
            _ask(socket, {"type": "subscribe_events", "event_type": event_type})
            while True:
                data: Json = json.loads(socket.recv(until_s - time.monotonic()))["event"]["data"]
                if wanted(data):
                    return data

    def entities(self) -> dict[str, Json]:
        """Return the registry's MQTT entities by id."""
        rows = self.ask({"type": "config/entity_registry/list"})
        return {row["entity_id"]: row for row in rows if row["platform"] == "mqtt"}

    def devices(self) -> dict[str, Json]:
        """Return the registry's devices by name."""
        return {row["name"]: row for row in self.ask({"type": "config/device_registry/list"})}

    def triggers(self, device_id: str) -> list[Json]:
        wish = {"type": "device_automation/trigger/list", "device_id": device_id}
        return [row for row in self.ask(wish) if row["domain"] == "mqtt"]

    def complaints(self) -> list[str]:
        """Return what the log says of MQTT as a warning or worse, but for a broker that went away."""
        lines = (self.folder / "home-assistant.log").read_text().splitlines()
        lines += self._log.read_text().splitlines()
        loud = [line for line in lines if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)]
        ours = [line for line in loud if re.search(r"mqtt|elfowl|blueprint|automation", line, re.IGNORECASE)]
        # The last: a document is taken back after its entities moved, as Home Assistant's manual says.
        away = "Disconnected from MQTT|Failed to connect|failed to receive on socket|No device components"
        return [line for line in ours if not re.search(away, line)]

    def wait(self, condition: Callable[[], object], timeout_s: float = 120.0) -> None:
        until_s = time.monotonic() + timeout_s
        while not condition():
            shown = {name: state["state"] for name, state in self.states().items()}
            assert time.monotonic() < until_s, shown
            time.sleep(0.2)

    def wait_for(self, entity_id: str, state: str | None, timeout_s: float = 120.0) -> None:
        until_s = time.monotonic() + timeout_s
        while (found := self.value(entity_id)) != state:
            assert time.monotonic() < until_s, f"{entity_id} is {found}, not {state}"
            time.sleep(0.2)

    @contextlib.contextmanager
    def _socket(self) -> Iterator[ClientConnection]:
        with connect(f"ws://127.0.0.1:{self.port}/api/websocket", max_size=None) as socket:
            socket.recv()
            socket.send(json.dumps({"type": "auth", "access_token": self._token}))
            assert json.loads(socket.recv())["type"] == "auth_ok"
            yield socket

    def _answers(self) -> bool:
        """Return whether it is there, and did not only come up to be rescued."""
        try:
            answer = httpx.get(f"{self.url}/api/", timeout=5.0, headers=self._headers())
            if answer.status_code == httpx.codes.UNAUTHORIZED and not self._token:
                return True
            state = self._client().get("/api/config").json()["state"] if answer.is_success else None
        except (httpx.HTTPError, ValueError, KeyError):
            return False
        return bool(state == "RUNNING")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self._headers(), timeout=30.0)

    def _get(self, path: str) -> httpx.Response:
        with self._client() as client:
            return client.get(path).raise_for_status()

    def _post(self, path: str, document: object) -> Any:  # noqa: ANN401 - JSON
        with self._client() as client:
            return client.post(path, json=document).raise_for_status().json()


def _ask(socket: ClientConnection, wish: Json) -> Any:  # noqa: ANN401 - JSON
    socket.send(json.dumps({"id": 1, **wish}))
    answer = json.loads(socket.recv())
    assert answer["success"], answer
    return answer["result"]
