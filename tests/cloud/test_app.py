"""The web process as a whole: what it loads, and that it starts and stops everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from fastapi.testclient import TestClient

from cloud.app import create_app
from cloud.ingest.broker import find_mosquitto
from cloud.settings import Settings
from edge_agent.clock import SystemClock
from edge_agent.errors import ConfigError

CLOCK = SystemClock()
_LOOK = """
import sys
import cloud.app, cloud.cli, cloud.commands.serve
heavy = ("torch", "cv2", "onnxruntime", "ai_edge_litert", "cloud.training", "cloud.detector", "compress.run")
print([name for name in heavy if name in sys.modules])
"""


@pytest.mark.slow
def test_web_process_and_command_line_load_neither_torch_nor_a_runtime() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_app_for_others_without_a_token_is_not_even_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ELFOWL_ACCESS_TOKEN"):
        create_app(Settings(home=tmp_path, host="0.0.0.0"))


@pytest.mark.system
@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
def test_app_starts_broker_and_ingest_and_leaves_no_process_behind(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path, broker_port=0))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        health = client.get("/api/v1/health").json()
        deadline_s = CLOCK.monotonic_s() + 10.0
        while not health["broker"]["connected"] and CLOCK.monotonic_s() < deadline_s:
            CLOCK.sleep(0.1)
            health = client.get("/api/v1/health").json()
        assert health["broker"]["connected"]
        broker = psutil.Process(health["broker"]["process_id"])
        assert client.get("/tuf/metadata/timestamp.json").status_code == 200
        assert client.get("/").status_code == 200
    assert not broker.is_running()
