"""Which devices a compression fits, limit by limit: one row a device."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from compress.limits import in_words, megabytes
from compress.receipt import title
from compress.result import Refusal, Result
from edge_agent.wire.profile import DeviceProfile

Speed = Literal["measured", "estimated", "not known"]

_DASH = "\N{EN DASH}"
_COLUMNS = ("profile", "fits", "form", "memory", "two bundles", "network here", "network there", "wanted")
_UNMEASURED = (
    "Memory, sizes and `here` were measured on this machine ({arch}); `there` is measured only where the "
    "device has such a processor, ~ marks an order of magnitude from a published time, see the receipt."
)


@dataclass(frozen=True)
class Fit:
    """What a device gets, beside its limits.

    Attributes:
        profile: The device.
        candidate: Which network; empty: the detector's own.
        form: In which form.
        broken: The limits that even this one, the nearest, breaks; empty: it fits.
        memory_bytes: Peak of the camera's process, measured on this machine.
        memory_limit_bytes: The device's, or what was asked for.
        bundles_bytes: Two bundles: one that runs, and the next.
        storage_bytes: What the device has for them.
        here_ms: Median time of the network on this machine, one thread.
        there_ms: The same on the device, where something can be said of it.
        there: What `there_ms` is: measured, since the device has such a processor; estimated; or not known.
        wanted_fps: Pictures a second that the profile aims at.
    """

    profile: str
    candidate: str
    form: str
    broken: tuple[str, ...]
    memory_bytes: int | None
    memory_limit_bytes: int
    bundles_bytes: int | None
    storage_bytes: int
    here_ms: float | None
    there_ms: float | None
    there: Speed
    wanted_fps: float

    @property
    def fits(self) -> bool:
        """Return whether all limits are kept."""
        return not self.broken

    def to_json_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {**asdict(self), "broken": list(self.broken), "fits": self.fits}


def fits(
    outcomes: Mapping[str, Result | Refusal],
    profiles: Iterable[DeviceProfile],
    arch: str = platform.machine(),
) -> tuple[Fit, ...]:
    """Return what each device gets.

    Args:
        outcomes: Of `compress.run.compress_for`, by profile.
        profiles: The devices.
        arch: Of the machine that measured, as the system names it.
    """
    return tuple(_fit(profile, outcomes[profile.name], arch) for profile in profiles)


def fit_table(rows: Iterable[Fit], arch: str = platform.machine()) -> str:
    """Return the rows as an aligned table, then what is measured and what is not."""
    rows = tuple(rows)
    cells = [_COLUMNS, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    lines += [f"{row.profile}: {'; '.join(row.broken)}" for row in rows if row.broken]
    return "\n".join([*lines, _UNMEASURED.format(arch=arch)])


def _fit(profile: DeviceProfile, outcome: Result | Refusal, arch: str) -> Fit:
    receipt = outcome.receipt
    chosen = next(row for row in receipt.after if row.form == receipt.chosen)
    there_ms, there = _there(profile, outcome, chosen.ms_p50, arch)
    return Fit(
        profile=profile.name,
        candidate=chosen.candidate,
        form=chosen.form,
        broken=tuple(in_words(one) for one in receipt.broken),
        memory_bytes=chosen.peak_memory_bytes,
        memory_limit_bytes=round(receipt.limits["memory_bytes"]),
        bundles_bytes=None if chosen.bundle_bytes is None else 2 * chosen.bundle_bytes,
        storage_bytes=round(receipt.limits["storage_bytes"]),
        here_ms=chosen.ms_p50,
        there_ms=there_ms,
        there=there,
        wanted_fps=profile.target_fps,
    )


def _there(
    profile: DeviceProfile, outcome: Result | Refusal, here_ms: float | None, arch: str
) -> tuple[float | None, Speed]:
    if profile.arch == arch:
        return here_ms, "measured" if here_ms is not None else "not known"
    times = [one.value for one in outcome.receipt.estimates if one.unit == "ms a picture"]
    return (times[0], "estimated") if times else (None, "not known")


def _cells(row: Fit) -> tuple[str, ...]:
    there = (
        _DASH if row.there_ms is None else f"{'~' if row.there == 'estimated' else ''}{row.there_ms:.1f} ms"
    )
    return (
        row.profile,
        "yes" if row.fits else "no",
        title(row.form),
        f"{_bytes(row.memory_bytes)} of {megabytes(row.memory_limit_bytes)}",
        f"{_bytes(row.bundles_bytes)} of {megabytes(row.storage_bytes)}",
        _DASH if row.here_ms is None else f"{row.here_ms:.1f} ms",
        there,
        f"{row.wanted_fps:g} a second",
    )


def _bytes(count_bytes: int | None) -> str:
    return _DASH if count_bytes is None else megabytes(count_bytes)


def networks_in_words(rows: Iterable[Fit]) -> str:
    """Return which networks the devices got, each with its devices."""
    by_network: dict[str, list[str]] = {}
    for row in rows:
        by_network.setdefault(row.candidate or "the detector as it is", []).append(row.profile)
    return "\n".join(f"{network}: {', '.join(names)}" for network, names in by_network.items())
