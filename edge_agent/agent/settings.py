"""Settings of cameras that people change while the agent runs; kept over restarts."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from edge_agent.config import CameraConfig
from edge_agent.errors import StorageError
from edge_agent.update.disk import Disk, RealDisk, write_whole
from edge_agent.wire.sync import CameraSettings

_log = logging.getLogger(__name__)

_FIELDS = ("detect", "snapshots", "offload", "threshold", "rules")


def merge_desired(
    own: CameraSettings, last_desired: CameraSettings, desired: CameraSettings
) -> CameraSettings:
    """Return a camera's settings after the cloud's changed: what the cloud did not touch stays as it is here.

    Args:
        own: As they are here, perhaps changed by a switch in Home Assistant.
        last_desired: As the cloud wanted them before.
        desired: As it wants them now.
    """
    changed = {
        name: getattr(desired, name)
        for name in _FIELDS
        if getattr(desired, name) != getattr(last_desired, name)
    }
    return own.model_copy(update=changed)


class SettingsStore:
    """The settings of all cameras; safe for many threads."""

    def __init__(self, file: Path, cameras: tuple[CameraConfig, ...], disk: Disk | None = None) -> None:
        """Go on from `file`; a camera that is not in it starts with what the config file says.

        Rules that nobody set here or in the cloud are never stored: they follow the config file. A change is
        on the disk before it is told: no power cut switches on what somebody switched off.
        """
        self._file = file
        self._disk = disk or RealDisk()
        self._config_rules = {camera.name: camera.rules for camera in cameras}
        self._holding: dict[str, tuple[CameraSettings, CameraSettings]] = {}
        self._lock = threading.Lock()
        stored, self._last_desired = _read(file)
        self._settings = {
            camera.name: stored.get(camera.name, CameraSettings(threshold=camera.threshold))
            for camera in cameras
        }
        self.on_change: Callable[[str, CameraSettings], None] = lambda _camera, _settings: None

    def get(self, camera: str) -> CameraSettings:
        """Return the settings of one camera as they hold, with the rules of the config file if no others."""
        settings, holding = self._settings[camera], self._holding.get(camera)
        if holding is None or holding[0] is not settings:
            # Asked for at each picture, and changed once in a while: so the same document is given each time.
            own = settings.rules or self._config_rules[camera]
            holding = self._holding[camera] = settings, settings.model_copy(update={"rules": own})
        return holding[1]

    def all(self) -> dict[str, CameraSettings]:
        """Return the settings of all cameras as they hold."""
        return {camera: self.get(camera) for camera in self._settings}

    def are_own_rules(self, camera: str) -> bool:
        """Return whether a camera's rules are those of the config file."""
        return self._settings[camera].rules is None

    def change(self, camera: str, **changes: bool | float | None) -> None:
        """Change settings of one camera, and remember them."""
        with self._lock:
            self._settings[camera] = self._settings[camera].model_copy(update=changes)
            self._write()
        self.on_change(camera, self.get(camera))

    def take_desired(self, desired: Mapping[str, CameraSettings]) -> None:
        """Take over what the cloud changed since it was last heard."""
        changed = []
        with self._lock:
            if dict(desired) == self._last_desired:
                return
            for camera, wanted in desired.items():
                own = self._settings.get(camera)
                merged = own and merge_desired(own, self._last_desired.get(camera, CameraSettings()), wanted)
                if merged is not None and merged != own:
                    self._settings[camera] = merged
                    changed.append(camera)
            self._last_desired = dict(desired)
            self._write()
        for camera in changed:
            self.on_change(camera, self.get(camera))

    def _write(self) -> None:
        document = {
            "cameras": {name: settings.model_dump() for name, settings in self._settings.items()},
            "last_desired": {name: settings.model_dump() for name, settings in self._last_desired.items()},
        }
        try:
            write_whole(self._disk, self._file, json.dumps(document).encode())
        except StorageError as error:
            _log.warning("%s; settings hold until the next restart only", error)


def _read(file: Path) -> tuple[dict[str, CameraSettings], dict[str, CameraSettings]]:
    try:
        document = json.loads(file.read_text())
        cameras, last_desired = document["cameras"].items(), document["last_desired"].items()
        return (
            {name: CameraSettings.model_validate(value) for name, value in cameras},
            {name: CameraSettings.model_validate(value) for name, value in last_desired},
        )
    except FileNotFoundError:
        return {}, {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("%s is damaged (%s); settings start from the config file", file, type(error).__name__)
        return {}, {}
