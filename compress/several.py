"""Several detectors of one camera in one bundle: one trunk, a head for each.

The first detector is compressed; its trunk then carries the heads of the others too, each learned on what the
int8 trunk itself answers. So the second detector costs a camera a head, not a network.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from compress.errors import BudgetError, CancelledError
from compress.limits import limits_for
from compress.progress import Progress, ProgressListener
from compress.protocol import Compressible
from compress.refit import Refit, Told, as_result, refit
from compress.result import Result
from compress.run import Budget, compress
from compress.workbench import Cancelled
from edge_agent.clock import Clock, SystemClock
from edge_agent.errors import ConfigError
from edge_agent.wire.profile import DeviceProfile

_STAGE = "heads"
_WORKING = ".heads"
_TRUNK_SHARE = 0.8
_HEADS_S = 20.0


def compress_together(
    detectors: Sequence[Compressible],
    profile: DeviceProfile,
    out: Path,
    budget: Budget | None = None,
    *,
    progress: ProgressListener | None = None,
    cancelled: Cancelled = lambda: False,
    clock: Clock | None = None,
    release: int | None = None,
) -> Result:
    """Turn full detectors into one bundle for a device.

    Args:
        detectors: At least two, of the same subnets and input size; the pictures of the first are the
            camera's, and its trunk is the one that is shared.
        profile: The device.
        out: As of `compress.run.compress`; beside what that writes, `heads.zip`.
        budget: As of `compress.run.compress`; bytes, time and AP50 are held against the whole bundle. Memory
            is measured with the first head alone: another one adds some tens of kilobytes.
        progress: Told how far it is.
        cancelled: Asked now and then.
        clock: Where times come from.
        release: The bundle's release number, the first detector's version by default.

    Raises:
        ConfigError: A detector is named twice, they differ in subnets or input size, or classes are named.
        ExportError: A network is in one piece, or a head cannot learn.
        BudgetError: The bundle breaks a limit; that of the first detector alone is kept.
        CancelledError: `cancelled` said so.
    """
    check_alike(detectors)
    clock, budget = clock or SystemClock(), budget or Budget()
    if budget.limits is not None and budget.limits.classes:
        message = "classes can be left out of one detector only: compress it alone"
        raise ConfigError(message)
    first, parts = detectors[0], _Parts(progress or _nobody, cancelled)
    whole = compress(
        first, profile, out, budget, progress=parts.trunk, cancelled=cancelled, clock=clock, release=release
    )
    folder = out / _WORKING
    shutil.rmtree(folder, ignore_errors=True)
    told = Told(
        (f"{len(detectors)} heads on the trunk of {first.ref.name}; the figures are of the worst head",),
        _again(whole.receipt.reproduce, detectors),
    )
    number = release or first.ref.version
    try:
        made = refit(detectors, whole.chosen, folder, clock, release=number, tell=parts.heads, told=told)
        check_limits(made, profile, budget)
        result = as_result(made, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for alone in set(whole.bundles.values()) - set(result.bundles.values()):
        alone.unlink(missing_ok=True)  # of the first detector; only the bundle of all shall lie there
    return result


@dataclass(frozen=True)
class _Parts:
    """One progress out of two: of the trunk, then of the heads."""

    listener: ProgressListener
    cancelled: Cancelled

    def trunk(self, one: Progress) -> None:
        """Tell how far the compression of the first detector is."""
        left_s = one.seconds_left + _HEADS_S
        self.listener(replace(one, fraction=round(_TRUNK_SHARE * one.fraction, 4), seconds_left=left_s))

    def heads(self, what: str, share: float) -> None:
        """Tell how far the heads are; stops here if the compression was called off.

        Raises:
            CancelledError: It was.
        """
        if self.cancelled():
            message = "the compression was cancelled; the bundle of the first detector alone stays"
            raise CancelledError(message)
        fraction = _TRUNK_SHARE + (1 - _TRUNK_SHARE) * share
        self.listener(Progress(_STAGE, round(fraction, 4), what, round(_HEADS_S * (1 - share), 1)))


def _nobody(progress: Progress) -> None:
    """Tell nobody."""


def check_alike(detectors: Sequence[Compressible]) -> None:
    """Refuse detectors that cannot share a trunk.

    Raises:
        ConfigError: One is named twice, or they differ in subnets or input size; says which.
    """
    first = detectors[0]
    for other in detectors[1:]:
        if [one.ref.id for one in detectors].count(other.ref.id) > 1:
            message = f"{other.ref.name} is named twice; name each detector once"
            raise ConfigError(message)
        if other.input_size_px != first.input_size_px or _subnets(other) != _subnets(first):
            message = (
                f"{other.ref.name} ({_told(other)}) cannot share a trunk with {first.ref.name} "
                f"({_told(first)}): teach one of them with the subnets and size of the other, or compress "
                "them one by one"
            )
            raise ConfigError(message)


def check_limits(made: Refit, profile: DeviceProfile, budget: Budget) -> None:
    """Refuse a bundle that breaks the limits.

    Raises:
        BudgetError: It does; says which limit and by how much.
    """
    limits = budget.limits or limits_for(profile)
    size_bytes, measured = made.bundle.stat().st_size, made.manifest.measured
    broken = []
    if limits.max_bytes is not None and size_bytes > limits.max_bytes:
        broken.append(f"{size_bytes / 1e6:.2f} MB of {limits.max_bytes / 1e6:.2f} MB allowed")
    if limits.max_ms is not None and measured is not None and measured.ms_p50 > limits.max_ms:
        broken.append(f"{measured.ms_p50:.1f} ms of {limits.max_ms:g} ms allowed")
    if limits.min_ap50 is not None and made.ap50 is not None and made.ap50 < limits.min_ap50:
        broken.append(f"AP50 {made.ap50:.3f} of the worst head where {limits.min_ap50:g} is asked for")
    if broken:
        message = f"with {len(made.manifest.heads)} heads the bundle has {'; '.join(broken)}"
        raise BudgetError(message)


def _subnets(detector: Compressible) -> list[str]:
    return [one.name for one in detector.subnets]


def _told(detector: Compressible) -> str:
    width_px, height_px = detector.input_size_px
    return f"{' and '.join(_subnets(detector))} at {width_px}x{height_px}"


def _again(command: str, detectors: Sequence[Compressible]) -> str:
    """Return the first detector's command with all detectors in it."""
    names = " ".join(f"{one.ref.id}@{one.ref.version}" for one in detectors)
    return re.sub(r"^(elfowl-compress run) \S+", rf"\1 {names}", command)
