"""What the demo starts its processes with; the processes themselves are in tests/system."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from cloud.demo.stack import CameraPlan, Stack
from cloud.settings import Settings
from edge_agent.config import load_config
from edge_agent.errors import ConfigError, ElfowlError
from tests.fakes.clock import FakeClock


class StackWithBroker(Stack):
    """One whose broker is there."""

    @property
    def broker_port(self) -> int:
        return 18_830


def test_camera_of_the_demo_has_a_config_that_an_agent_accepts(tmp_path: Path) -> None:
    stack = StackWithBroker(Settings(home=tmp_path), FakeClock())
    (tmp_path / "token").write_text("one-time-token")
    plan = CameraPlan("demo-camera", "pi-4", tmp_path / "clip.avi", tmp_path / "token")
    (tmp_path / "agent.yaml").write_text(yaml.safe_dump(stack._agent_config(plan, tmp_path)))

    config = load_config(tmp_path / "agent.yaml")

    assert config.cloud is not None
    assert config.mqtt is not None
    assert (config.cloud.url, config.mqtt.port) == (stack.url, 18_830)
    assert config.cloud.read_token() == "one-time-token"
    assert (config.cameras[0].loop, config.cameras[0].real_time) == (True, True)


def test_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = Stack(Settings(home=tmp_path, port=port), FakeClock())
        with pytest.raises(ConfigError, match=rf"port {port} .* --port"):
            stack.start_server_side()
    with pytest.raises(ElfowlError, match="not started"):
        _ = stack.broker_port
    stack.stop()
