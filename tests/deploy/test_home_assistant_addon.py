"""The Home Assistant add-on and compose file: what they hand to the agent is a sound config."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config import load_config

DEPLOY = Path(__file__).parents[2] / "deploy" / "home-assistant"
ADDON = DEPLOY / "addon" / "elfowl-agent"
SERVICE = {"host": "core-mosquitto", "port": 1883, "ssl": False, "username": "addons", "password": "x"}
OWN = {"mqtt_host": "broker.lan", "mqtt_port": 8883}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def agent_config() -> Callable[[Json, Json | None], Json]:
    spec = importlib.util.spec_from_file_location("start", ADDON / "start.py")
    assert spec is not None
    assert spec.loader is not None
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    made: Callable[[Json, Json | None], Json] = start.agent_config
    return made


def manifest() -> Json:
    found: Json = yaml.safe_load((ADDON / "config.yaml").read_text())
    return found


@pytest.mark.parametrize(
    ("more", "service", "host"),
    [
        ({}, SERVICE, "core-mosquitto"),
        (OWN, SERVICE, "broker.lan"),
        (OWN | {"discovery": "device", "compat": "frigate"}, None, "broker.lan"),
        ({"cloud_url": "https://cloud.lan", "cloud_token": "12345678"}, None, None),
        (
            {"cloud_url": "https://cloud.lan", "bundle": "kit.zip", "root": "root.json"},
            SERVICE,
            "core-mosquitto",
        ),
    ],
)
def test_options_become_a_sound_config(
    tmp_path: Path,
    agent_config: Callable[[Json, Json | None], Json],
    more: Json,
    service: Json | None,
    host: str | None,
) -> None:
    options = manifest()["options"] | more
    assert options.keys() <= manifest()["schema"].keys()
    file = tmp_path / "agent.yaml"
    file.write_text(json.dumps(agent_config(options, service)))
    config = load_config(file)
    assert [camera.name for camera in config.cameras] == ["front"]
    assert (config.mqtt.host if config.mqtt is not None else None) == host
    assert (config.cloud is not None) == ("cloud_url" in more)
    if config.mqtt is not None:
        assert (config.mqtt.discovery_style, config.mqtt.compat) == (
            more.get("discovery", "per_entity"),
            more.get("compat", "none"),
        )


def test_compose_file_brings_a_sound_config_and_every_blueprint_there_is() -> None:
    services = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]
    config = load_config(DEPLOY / "compose" / "agent.yaml")
    assert config.mqtt is not None
    assert config.mqtt.host in services
    volumes = [
        volume for service in services.values() for volume in service["volumes"] if volume.startswith(".")
    ]
    sources = {volume.split(":")[0] for volume in volumes}
    assert all((DEPLOY / "compose" / source).exists() for source in sources)
