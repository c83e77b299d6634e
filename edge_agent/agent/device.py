"""What the agent can tell about the machine it runs on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_HOT_C = 85.0
_SAME_BYTES = 1_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PROC = Path("/proc")
_SENSORS = Path("/sys/class")
_SENSOR_FILES = ("thermal/thermal_zone*/temp", "hwmon/hwmon*/temp*_input")
# Beyond these a sensor tells of its own failure.
_COLDEST_C, _HOTTEST_C = -50.0, 150.0


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
    """Return the memory of this process, with what it shares with others; 0 where nobody tells."""
    try:
        pages = int((_PROC / "self" / "statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def pss_bytes() -> int:
    """Return the memory of this process and its children, shared pages counted by shares.

    Where the kernel does not tell that, all of the resident memory of this process.
    """
    own = _pss_of("self")
    if own is None:
        return rss_bytes()
    return own + sum(_pss_of(child) or 0 for child in _children())


class MemoryGauge:
    """Tells `pss_bytes`; asks the kernel only once the memory has changed: that takes milliseconds."""

    def __init__(self) -> None:
        """Begin without a reading."""
        self._resident_bytes = self._told_bytes = 0

    def __call__(self) -> int:
        """Return the memory of this process and its children."""
        resident_bytes = rss_bytes()
        same = self._told_bytes > 0 and abs(resident_bytes - self._resident_bytes) < _SAME_BYTES
        if not same or _children():
            self._resident_bytes, self._told_bytes = resident_bytes, pss_bytes()
        return self._told_bytes


def _children() -> list[str]:
    try:
        tasks = list((_PROC / "self" / "task").iterdir())
        return [pid for task in tasks for pid in (task / "children").read_text().split()]
    except OSError:
        return []


def _pss_of(pid: str) -> int | None:
    try:
        text = (_PROC / pid / "smaps_rollup").read_text()
    except OSError:
        return None
    found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def temperature_c(sensors: Path = _SENSORS) -> float | None:
    """Return the hottest of the machine's sensors, or none where there are none."""
    readings = [_celsius(file) for pattern in _SENSOR_FILES for file in sensors.glob(pattern)]
    sound = [reading for reading in readings if reading is not None and _COLDEST_C < reading < _HOTTEST_C]
    return max(sound, default=None)


def _celsius(file: Path) -> float | None:
    try:
        return int(file.read_text()) / 1000.0
    except (OSError, ValueError):
        return None


def is_hot(celsius: float | None) -> bool:
    """Return whether the network should rest."""
    return celsius is not None and celsius >= _HOT_C
