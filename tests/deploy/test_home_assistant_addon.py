"""The Home Assistant add-on and compose file: what they hand to the agent is a sound config."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config import load_config
from edge_agent.packaging.make import make_package
from edge_agent.packaging.request import PackageRequest
from tests.fakes.addon_rules import breaches

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "home-assistant"
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


def test_manifest_breaks_no_rule_of_the_supervisor() -> None:
    assert breaches(manifest()) == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest()["version"] == project["version"]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("vidoe",), True, "unknown key vidoe"),
        (("version",), 0.1, "version 0.1 is no text"),
        (("slug",), "elf owl", "slug elf owl"),
        (("arch",), ["x86-64"], "arch x86-64"),
        (("startup",), "early", "startup early"),
        (("services",), ["mqtt:wants"], "services mqtt:wants"),
        (("map",), ["addon_config:rx"], "map addon_config:rx"),
        (("video",), "yes", "video is no flag"),
        (("schema", "compat"), "choice(none|frigate)?", "schema.compat: choice(none|frigate)?"),
        (("schema", "discovery"), "list", "schema.discovery: list"),
        (("options", "device"), "my house", "options.device: 'my house' is no match(^[a-zA-Z0-9_-]{1,64}$)"),
        (("options", "camera"), "front", "options.camera: not in the schema"),
        (("options", "cameras"), [{"source": "a"}], "options.cameras[0].name: missing"),
        (
            ("options", "cameras"),
            [{"name": "a", "source": "a", "fps": 90}],
            "options.cameras[0].fps: 90 is no",
        ),
    ],
)
def test_breach_of_a_rule_of_the_supervisor_is_named(path: tuple[str, ...], value: object, says: str) -> None:
    broken = copy.deepcopy(manifest())
    inner = broken
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert [breach for breach in breaches(broken) if breach.startswith(says)], breaches(broken)


def instructions(container_file: str) -> list[tuple[str, str]]:
    """Return the lines of a container file as (instruction, its text)."""
    lines = [line for line in container_file.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines()]


def test_container_file_of_the_add_on_names_only_what_is_there() -> None:
    found = instructions((ADDON / "Dockerfile").read_text())
    assert {name for name, _ in found} <= {"FROM", "COPY", "RUN", "ENV", "CMD"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # The wheel is made beforehand, as DOCS.md says.
    sources = [text.split()[0] for name, text in found if name == "COPY"]
    assert [source for source in sources if not (ADDON / source).is_file()] == ["elfowl-*.whl"]
    assert "-w deploy/home-assistant/addon/elfowl-agent" in (ADDON / "DOCS.md").read_text()
    (command,) = [json.loads(text) for name, text in found if name == "CMD"]
    assert command == ["python", "/start.py"]
    assert "/start.py" in [text.split()[1] for name, text in found if name == "COPY"]
    for text in (text for name, text in found if name == "RUN"):
        assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0, text
        extras = re.findall(r"\$wheel\[([a-z,]+)\]", text)
        assert extras
        assert set(",".join(extras).split(",")) <= project["optional-dependencies"].keys()
    started = re.search(r"execvp\(\"([a-z-]+)\"", (ADDON / "start.py").read_text())
    assert started is not None
    assert started[1] in project["scripts"]


def test_command_in_the_compose_file_makes_the_container_that_it_builds(tmp_path: Path) -> None:
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    service = yaml.safe_load(text)["services"]["elfowl-agent"]
    made_by = re.search(r"# Made by: (elfowl-agent package .+)", text)
    assert made_by is not None
    words = shlex.split(made_by[1])
    asked = dict(zip(words[2::2], words[3::2], strict=True))
    assert asked.keys() == {"--profile", "--kind", "--config", "--out"}
    assert asked["--out"] == Path(service["build"]["context"]).name
    shutil.copy(DEPLOY / "compose" / asked["--config"], tmp_path)
    make_package(
        PackageRequest(
            profile=asked["--profile"],
            kind=asked["--kind"],
            config=tmp_path / asked["--config"],
            out=tmp_path / asked["--out"],
        )
    )
    container_file = (tmp_path / asked["--out"] / service["build"]["dockerfile"]).read_text()
    command = next(json.loads(text) for name, text in instructions(container_file) if name == "CMD")
    mounted = {volume.split(":")[1] for volume in service["volumes"]}
    assert command[-1] in mounted, "the settings that it starts with come from outside"
    assert {text for name, text in instructions(container_file) if name == "VOLUME"} <= mounted
