"""Limits and effort as a person typed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compress.limits import Limits, limits_for, parse_bytes, parse_classes, parse_ms, parse_share
from compress.targets import Target, check_targets
from edge_agent.errors import ConfigError
from edge_agent.runtime.profiles import find_profile, profile_names
from edge_agent.wire.profile import DeviceProfile

ALL = "all"
"""In place of the profiles' names: all that come with elfowl."""


@dataclass(frozen=True)
class Asked:
    """Limits and effort as they were typed."""

    max_ram: str | None
    max_ms: str | None
    max_bytes: str | None
    min_ap: str | None
    classes: str | None
    effort: str
    forms: str | None

    def limits(self, device: DeviceProfile) -> Limits:
        """Return the limits merged over the device's.

        Raises:
            ConfigError: One cannot be read.
        """
        return limits_for(
            device,
            max_ram_bytes=None if self.max_ram is None else parse_bytes(self.max_ram, "--max-ram"),
            max_bytes=None if self.max_bytes is None else parse_bytes(self.max_bytes, "--max-bytes"),
            max_ms=None if self.max_ms is None else parse_ms(self.max_ms, "--max-ms"),
            min_ap50=None if self.min_ap is None else parse_share(self.min_ap, "--min-ap"),
            classes=() if self.classes is None else parse_classes(self.classes, "--classes"),
        )

    def targets(self, profiles: Sequence[str], out: Path) -> tuple[Target, ...]:
        """Return the devices: one takes the folder itself, of several each one in it.

        Raises:
            ConfigError: A profile is unknown or named twice, a limit cannot be read, or the folder is a file.
        """
        names = profile_names() if tuple(profiles) == (ALL,) else profiles
        devices = [find_profile(name) for name in names]
        if out.exists() and not out.is_dir():
            message = f"--out {out} is a file; give a folder, it is made when it is not there"
            raise ConfigError(message)
        is_alone = len(devices) == 1
        targets = tuple(Target(one, self.limits(one), out if is_alone else out / one.name) for one in devices)
        check_targets(targets)
        return targets
