"""Limits and effort as a person typed them."""

from __future__ import annotations

from dataclasses import dataclass

from compress.limits import Limits, limits_for, parse_bytes, parse_classes, parse_ms, parse_share
from edge_agent.wire.profile import DeviceProfile


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
