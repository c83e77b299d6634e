"""The devices that a compression is for: one is usual, several share what is taught and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compress.limits import Limits
from edge_agent.errors import ConfigError
from edge_agent.wire.profile import DeviceProfile


@dataclass(frozen=True)
class Target:
    """A device, what its bundle may cost and must achieve, and the folder that takes bundle and receipt."""

    profile: DeviceProfile
    limits: Limits
    out: Path


def check_targets(targets: Sequence[Target]) -> None:
    """Refuse devices that cannot share a compression.

    Raises:
        ConfigError: There is none, two have one name or folder, or they differ in classes.
    """
    if not targets:
        message = "no device to compress for: name at least one profile"
        raise ConfigError(message)
    names = [one.profile.name for one in targets]
    if twice := next((name for name in names if names.count(name) > 1), None):
        message = f"profile {twice} is named twice; name each device once"
        raise ConfigError(message)
    if len({one.out.absolute() for one in targets}) < len(targets):
        message = "each device needs a folder of its own for its bundle and receipt"
        raise ConfigError(message)
    if len({one.limits.classes for one in targets}) > 1:
        message = "devices that share a compression keep the same classes: compress for each of them alone"
        raise ConfigError(message)
