"""A real Node-RED, installed once and kept, that tests start with flows of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.system.mosquitto import free_port

PACKAGE = "node-red@4"
_FOLDER = Path.home() / ".cache" / "elfowl" / "node-red-4"


def program() -> Path:
    """Return Node-RED's program; made once and kept."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    if not (_FOLDER / "complete").exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-fund", "--no-audit", "--prefix", str(_FOLDER), PACKAGE]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            give_up = pytest.fail if os.environ.get("CI") else pytest.skip
            give_up(f"Node-RED cannot be had: {made.stderr.strip()[-300:]}")
        (_FOLDER / "complete").touch()
    return _FOLDER / "node_modules" / ".bin" / "node-red"


class NodeRed:
    """One instance on a free port, that speaks with the broker on `mqtt_port`."""

    def __init__(self, folder: Path, flows: Path, mqtt_port: int) -> None:
        folder.mkdir()
        self.port = free_port()
        nodes = json.loads(flows.read_text())
        for node in nodes:
            if node["type"] == "mqtt-broker":
                node |= {"broker": "127.0.0.1", "port": str(mqtt_port)}
        (folder / "flows.json").write_text(json.dumps(nodes))
        self._log = folder / "output.log"
        command = [program(), "--userDir", folder, "--port", self.port, "flows.json"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
        until_s = time.monotonic() + 120.0
        while not self._runs():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until_s, self._log.read_text()
            time.sleep(0.2)

    def _runs(self) -> bool:
        try:
            httpx.get(f"http://127.0.0.1:{self.port}/flows", timeout=5.0).raise_for_status()
        except httpx.HTTPError:
            return False
        return "Connected to broker" in self._log.read_text()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)
