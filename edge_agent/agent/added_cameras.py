"""Cameras that were added in the portal: a file of their own, since the config file belongs to a person."""

from __future__ import annotations

import json
import logging

from edge_agent.config import AgentConfig, CameraConfig, CameraList
from edge_agent.errors import ConfigError
from edge_agent.strict_yaml import parse_strictly, read_yaml_text
from edge_agent.update.disk import RealDisk, write_whole

_log = logging.getLogger(__name__)

_FILE = "cameras.yaml"
_HEAD = """\
# Cameras that were added in the portal, with their passwords. Take one out by deleting its lines; the agent
# reads this when it starts. A camera of the same name in the config file comes before the one here.
"""


def with_added(config: AgentConfig) -> AgentConfig:
    """Return the config with the cameras that were added in the portal; a damaged file adds none."""
    own = {camera.name for camera in config.cameras}
    added = tuple(camera for camera in added_cameras(config) if camera.name not in own)
    return config.model_copy(update={"cameras": (*config.cameras, *added)})


def added_cameras(config: AgentConfig) -> tuple[CameraConfig, ...]:
    """Return the cameras that were added in the portal."""
    file = config.state_dir / _FILE
    if not file.exists():
        return ()
    try:
        text = read_yaml_text(file, "a list of cameras")
        return parse_strictly(CameraList, text, str(file), "cameras: []").cameras
    except ConfigError as error:
        _log.error("%s; the cameras of that file are left out", error)
        return ()


def add(config: AgentConfig, camera: CameraConfig) -> None:
    """Keep one more camera.

    Raises:
        ConfigError: There is one of this name.
        StorageError: It cannot be written.
    """
    check_room(config, camera.name)
    _write(config, (*added_cameras(config), camera))


def check_room(config: AgentConfig, name: str) -> None:
    """Look whether a camera of this name can be added, before anybody opens one.

    Raises:
        ConfigError: There is one of this name.
    """
    if name in {one.name for one in (*config.cameras, *added_cameras(config))}:
        message = f"this device has a camera {name!r} already; give the new one another name"
        raise ConfigError(message)


def remove(config: AgentConfig, name: str) -> None:
    """Keep a camera no longer.

    Raises:
        ConfigError: It was not added in the portal.
        StorageError: It cannot be written.
    """
    known = added_cameras(config)
    if name not in {one.name for one in known}:
        message = f"{name!r} was not added in the portal; take it out of the device's config file"
        raise ConfigError(message)
    _write(config, tuple(one for one in known if one.name != name))


def _write(config: AgentConfig, cameras: tuple[CameraConfig, ...]) -> None:
    # What JSON quotes, YAML reads the same. What somebody wrote into the file by hand stays.
    entries = [one.model_dump(mode="json", exclude_defaults=True) for one in cameras]
    lines = [f"  - {json.dumps(entry, ensure_ascii=False)}\n" for entry in entries]
    text = _HEAD + ("cameras:\n" + "".join(lines) if lines else "cameras: []\n")
    write_whole(RealDisk(), config.state_dir / _FILE, text.encode())
