"""A device profile from what was measured on a machine; pure: measuring is done by `profile_measure`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from edge_agent.errors import ConfigError
from edge_agent.runtime.profiles import parse_profile
from edge_agent.wire.manifest import RuntimeName
from edge_agent.wire.profile import DeviceProfile

_MIB = 1 << 20
_GIB = 1 << 30
_ARCHES = ("x86_64", "aarch64", "armv7l")
_STARTER_AREA_PX = 384 * 288
_SIZES_PX = ((640, 480), (512, 384), (384, 288), (320, 256), (256, 192), (224, 160))
# From which time of the starter network on so many pictures a second are aimed at.
_GOALS_FPS = ((33.0, 15.0), (100.0, 5.0), (float("inf"), 2.0))
_BUSY_SHARE = 0.5


@dataclass(frozen=True)
class RuntimeFacts:
    """How a runtime did with the starter network; none: it imports, but was not tried on it."""

    runtime: RuntimeName
    version: str
    ms_p50: float | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True)
class MachineFacts:
    """What was found on a machine; `cgroup_limit_bytes` is none when no cgroup limits memory."""

    processor: str
    arch: str
    cores: int
    memory_available_bytes: int
    memory_total_bytes: int
    cgroup_limit_bytes: int | None
    storage_free_bytes: int
    has_systemd: bool
    python: str
    runtimes: tuple[RuntimeFacts, ...]


def measured_profile(facts: MachineFacts, name: str, day: str) -> DeviceProfile:
    """Return the profile of a machine.

    Args:
        facts: What was measured there.
        name: The profile's name.
        day: When, for example `2026-11-29`.

    Raises:
        ConfigError: No runtime is installed, or the architecture or the name is none of elfowl's.
    """
    if facts.arch not in _ARCHES:
        message = f"this machine is {facts.arch}: elfowl runs on {', '.join(_ARCHES)} only"
        raise ConfigError(message)
    if not facts.runtimes:
        message = "no runtime is installed to measure with: pip install 'elfowl[litert]'"
        raise ConfigError(message)
    goal_fps, sizes = _goal(facts)
    fields: dict[str, Any] = {
        "schema": 1,
        "name": name,
        "title": facts.processor,
        "arch": facts.arch,
        "ram_for_us_bytes": _ram_for_us_bytes(facts),
        "storage_bytes": min(facts.storage_free_bytes // 4, 4 * _GIB) // _MIB * _MIB or _MIB,
        "runtimes": [runtime.runtime for runtime in _ranked(facts)],
        "threads": 1,
        "input_sizes_px": [list(size) for size in sizes],
        "target_fps": goal_fps,
        "install": {
            "kind": "systemd" if facts.has_systemd else "manual",
            "notes": f"Measured with Python {facts.python}; see `elfowl-agent package`.",
        },
        "sources": _sources(facts, day),
    }
    return parse_profile(yaml.safe_dump(fields, sort_keys=False), where=f"profile {name!r}")


def profile_yaml(profile: DeviceProfile) -> str:
    """Return a profile as the YAML that `parse_profile` reads."""
    fields = {"schema": 1, **profile.model_dump(mode="json", by_alias=True, exclude_defaults=True)}
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=110)


def name_of(host: str) -> str:
    """Return a profile name made from a host's name."""
    return re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:64].rstrip("-") or "my-device"


def _ram_for_us_bytes(facts: MachineFacts) -> int:
    """Return half of what is free and allowed, at most 1 GiB: others live on the machine, too."""
    allowed_bytes = min(
        facts.memory_available_bytes, facts.cgroup_limit_bytes or facts.memory_available_bytes
    )
    return min(allowed_bytes // 2, _GIB) // _MIB * _MIB or _MIB


def _ranked(facts: MachineFacts) -> list[RuntimeFacts]:
    """Return the runtimes, the quickest first; those that were not timed come last."""
    return sorted(facts.runtimes, key=lambda r: float("inf") if r.ms_p50 is None else r.ms_p50)


def _goal(facts: MachineFacts) -> tuple[float, list[tuple[int, int]]]:
    """Return pictures a second and the input sizes that half of one core can do, by the pixels' ratio."""
    starter_ms = _ranked(facts)[0].ms_p50
    if starter_ms is None:
        return 2.0, list(_SIZES_PX[2:])
    goal_fps = next(fps for limit_ms, fps in _GOALS_FPS if starter_ms <= limit_ms)
    allowed_ms = 1000.0 * _BUSY_SHARE / goal_fps
    fitting = [
        (width, height)
        for width, height in _SIZES_PX
        if starter_ms * width * height / _STARTER_AREA_PX <= allowed_ms
    ]
    return goal_fps, fitting or [_SIZES_PX[-1]]


def _sources(facts: MachineFacts, day: str) -> list[str]:
    limit = facts.cgroup_limit_bytes
    limited = f"a cgroup allows {limit // _MIB} MiB" if limit is not None else "no cgroup limits it"
    available, total = facts.memory_available_bytes // _MIB, facts.memory_total_bytes // _MIB
    measured = f"measured on {day} on this machine by `elfowl-compress profile new`"
    machine = f"{measured}: {facts.processor}, {facts.arch}, {facts.cores} cores"
    memory = (
        f"memory: {available} of {total} MiB were available, {limited}; half of it, at most 1 GiB, is for us"
    )
    storage = (
        f"storage: {facts.storage_free_bytes // _MIB} MiB were free; a quarter, at most 4 GiB, is for us"
    )
    goal = "target_fps, input_sizes_px: what half of a core can do, estimated from that time by the pixels"
    choice = "half and quarter are elfowl's choice: change them at will"
    return [machine, memory, storage, choice, *[_told(runtime) for runtime in _ranked(facts)], goal]


def _told(runtime: RuntimeFacts) -> str:
    name = f"{runtime.runtime} {runtime.version}"
    if runtime.ms_p50 is None:
        return f"{name} is installed; not timed, for the starter network is a TFLite file"
    peak = f", {runtime.peak_bytes // _MIB} MiB at the process's peak" if runtime.peak_bytes else ""
    network = "the int8 starter network at 384 x 288"
    return f"{name}: {runtime.ms_p50:.1f} ms (median) a picture with one thread, {network}{peak}"
