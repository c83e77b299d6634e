"""What a bundle may cost and must achieve: a person's limits, merged over the device's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.errors import ConfigError
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import BrokenLimit, Measurement

_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER = r"(\d+(?:\.\d+)?)"


@dataclass(frozen=True)
class Limits:
    """Upper limits, and a lower one for accuracy; none: no such limit.

    Attributes:
        max_ram_bytes: Peak memory of the camera's process, agent's code and network together.
        storage_bytes: Storage of the device; two bundles must fit, the old one and the new one.
        max_bytes: Size of one bundle.
        max_ms: Median time of the network for one picture on one thread of the machine that measures.
        min_ap50: AP50 on the frozen test set, in 0..1.
        classes: Names or slugs of the only classes that stay; empty: all.
    """

    max_ram_bytes: int
    storage_bytes: int
    max_bytes: int | None = None
    max_ms: float | None = None
    min_ap50: float | None = None
    classes: tuple[str, ...] = ()


def limits_for(
    profile: DeviceProfile,
    *,
    max_ram_bytes: int | None = None,
    max_bytes: int | None = None,
    max_ms: float | None = None,
    min_ap50: float | None = None,
    classes: Sequence[str] = (),
) -> Limits:
    """Return a person's limits merged over those of a device: of two limits the stricter counts."""
    ram_bytes = min(max_ram_bytes or profile.ram_for_us_bytes, profile.ram_for_us_bytes)
    return Limits(ram_bytes, profile.storage_bytes, max_bytes, max_ms, min_ap50, tuple(classes))


def parse_bytes(text: str, option: str) -> int:
    """Read an amount of bytes with its unit, for example `64MB`, `1.5 MiB` or `300kB`.

    Raises:
        ConfigError: It has no unit, an unknown one, or is not above 0.
    """
    match = re.fullmatch(rf"{_NUMBER}\s*([A-Za-z]+)", text.strip())
    if match is None or match[2] not in _UNITS:
        message = f"{option} {text!r} is no size: write a number and one of {', '.join(_UNITS)}, such as 64MB"
        raise ConfigError(message)
    return int(_above_zero(float(match[1]) * _UNITS[match[2]], text, option))


def parse_ms(text: str, option: str) -> float:
    """Read a time in milliseconds, for example `80`, `80ms` or `0.5s`.

    Raises:
        ConfigError: It is not a time above 0.
    """
    match = re.fullmatch(rf"{_NUMBER}\s*(ms|s)?", text.strip())
    if match is None:
        message = f"{option} {text!r} is no time: write milliseconds, such as 80 or 80ms"
        raise ConfigError(message)
    return _above_zero(float(match[1]) * (1000.0 if match[2] == "s" else 1.0), text, option)


def parse_share(text: str, option: str) -> float:
    """Read a share, for example `0.85` or `85%`.

    Raises:
        ConfigError: It is not above 0 and at most 1 (100 %).
    """
    match = re.fullmatch(rf"{_NUMBER}\s*(%)?", text.strip())
    share = float(match[1]) / (100.0 if match[2] else 1.0) if match else 0.0
    if match is None or share > 1.0:
        message = f"{option} {text!r} is no share: write a number in 0..1 such as 0.85, or 85%"
        raise ConfigError(message)
    return _above_zero(share, text, option)


def parse_classes(text: str, option: str) -> tuple[str, ...]:
    """Read names divided by commas, each once.

    Raises:
        ConfigError: A name is empty.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(names):
        message = f"{option} {text!r} has an empty name: write names with commas between, such as person,dog"
        raise ConfigError(message)
    return names


def broken_limits(limits: Limits, measured: Measurement) -> tuple[BrokenLimit, ...]:
    """Return which limits a measured form breaks, and by how much.

    What was not measured breaks no limit, but a wanted accuracy that could not be measured is not reached.
    """
    bundle_bytes = measured.bundle_bytes
    accuracy = None if limits.min_ap50 is None else measured.ap50 or 0.0
    found = (
        _over("memory", "bytes", measured.peak_memory_bytes, limits.max_ram_bytes),
        # Two slots: the camera keeps the old bundle until the new one has proved itself.
        _over("storage", "bytes", None if bundle_bytes is None else 2 * bundle_bytes, limits.storage_bytes),
        _over("bundle", "bytes", bundle_bytes, limits.max_bytes),
        _over("time", "ms", measured.ms_p50, limits.max_ms),
        _under("AP50", accuracy, limits.min_ap50),
    )
    return tuple(broken for broken in found if broken is not None)


def distance(broken: Sequence[BrokenLimit]) -> float:
    """Return how far a form is from fitting: the relative excess of all its broken limits together."""
    return sum(abs(one.value - one.allowed) / max(one.allowed, 1e-9) for one in broken)


def in_words(broken: BrokenLimit) -> str:
    """Return a broken limit as a person reads it."""
    if broken.limit == "AP50":
        short = broken.allowed - broken.value
        return f"reaches AP50 {broken.value:.3f}, wanted are {broken.allowed:.3f} ({short:.3f} short)"
    over = 100 * (broken.value / broken.allowed - 1)
    if broken.limit == "time":
        return f"takes {broken.value:.1f} ms, allowed are {broken.allowed:.1f} ms ({over:.0f} % over)"
    what = {
        "memory": "of memory",
        "storage": "of storage for two slots",
        "bundle": "for its bundle",
    }[broken.limit]
    return (
        f"needs {megabytes(broken.value)} {what}, allowed are {megabytes(broken.allowed)} ({over:.0f} % over)"
    )


def megabytes(count_bytes: float) -> str:
    """Return bytes as megabytes for reading."""
    return f"{count_bytes / 10**6:.1f} MB" if count_bytes >= 10**6 else f"{count_bytes / 10**3:.1f} kB"


def _over(limit: str, unit: str, value: float | None, allowed: float | None) -> BrokenLimit | None:
    if value is None or allowed is None or value <= allowed:
        return None
    return BrokenLimit(limit=limit, unit=unit, value=value, allowed=allowed)


def _under(limit: str, value: float | None, wanted: float | None) -> BrokenLimit | None:
    if value is None or wanted is None or value >= wanted:
        return None
    return BrokenLimit(limit=limit, unit="", value=value, allowed=wanted)


def _above_zero(value: float, text: str, option: str) -> float:
    if not value > 0:
        message = f"{option} {text!r} must be above 0"
        raise ConfigError(message)
    return value
