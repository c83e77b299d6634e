"""What the agent can tell about the machine it runs on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_HOT_C = 85.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def agent_version() -> str:
    """Return the version of this agent."""
    try:
        return version("elfowl")
    except PackageNotFoundError:
        return "0.0.0"


def arch() -> str:
    """Return the machine's architecture as device profiles name it."""
    return platform.machine()


def boot_id() -> str:
    """Return what tells this boot of the machine from others."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"pid-{os.getpid()}"


def rss_bytes() -> int:
    """Return the memory of this process."""
    return int(psutil.Process().memory_info().rss)


def temperature_c() -> float | None:
    """Return the hottest of the processor's sensors, or none where there are none."""
    read = getattr(psutil, "sensors_temperatures", None)
    sensors = read() if read is not None else {}
    readings = [entry.current for entries in sensors.values() for entry in entries if entry.current]
    return float(max(readings)) if readings else None


def is_hot(celsius: float | None) -> bool:
    """Return whether the network should rest."""
    return celsius is not None and celsius >= _HOT_C
