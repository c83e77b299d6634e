"""Which form a device gets: a pure decision over what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from compress.errors import BudgetError
from compress.forms import DEPLOYABLE, Form, runs_on
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import Measurement

_TIGHT = 0.8
_MEGABYTE = 1_000_000
_AP50_LOSS_WORTH_A_WORD = 0.02


def candidates(profile: DeviceProfile) -> tuple[Form, ...]:
    """Return the forms that the device can run, in the profile's order of runtimes."""
    forms: list[Form] = []
    for runtime in profile.runtimes:
        forms += [form for form in DEPLOYABLE if runs_on(form, (runtime,)) and form not in forms]
    return tuple(forms)


def choose(profile: DeviceProfile, measured: Sequence[Measurement]) -> Measurement:
    """Return the first form, in the profile's order, that fits its memory and storage.

    Raises:
        BudgetError: None fits; the text names the limit that the nearest candidate breaks.
    """
    by_form = {measurement.form: measurement for measurement in measured}
    possible = [by_form[form.name] for form in candidates(profile)]
    for measurement in possible:
        if broken_limit(profile, measurement) is None:
            return measurement
    nearest = min(possible, key=lambda measurement: measurement.peak_memory_bytes or 0)
    message = f"nothing fits {profile.name}: the nearest, {nearest.form}, {broken_limit(profile, nearest)}"
    raise BudgetError(message)


def broken_limit(profile: DeviceProfile, measurement: Measurement) -> str | None:
    """Return which limit of the device a form breaks, or none."""
    memory_bytes, storage_bytes = measurement.peak_memory_bytes or 0, measurement.bundle_bytes or 0
    if memory_bytes > profile.ram_for_us_bytes:
        return f"needs {_mb(memory_bytes)} of memory, allowed are {_mb(profile.ram_for_us_bytes)}"
    # Two slots: the camera keeps the old bundle until the new one has proved itself.
    if 2 * storage_bytes > profile.storage_bytes:
        return f"needs 2 x {_mb(storage_bytes)} of storage, allowed are {_mb(profile.storage_bytes)}"
    return None


def warnings(
    profile: DeviceProfile, input_size_px: tuple[int, int], full: Measurement, chosen: Measurement
) -> tuple[str, ...]:
    """Return what a person should know before using the chosen form."""
    found = []
    if input_size_px not in profile.input_sizes_px:
        width_px, height_px = input_size_px
        found.append(f"the network's input {width_px}x{height_px} is not among those of {profile.name}")
    memory_bytes = chosen.peak_memory_bytes or 0
    if memory_bytes > _TIGHT * profile.ram_for_us_bytes:
        found.append(f"memory is tight: {_mb(memory_bytes)} of {_mb(profile.ram_for_us_bytes)}")
    if full.ap50 is None or chosen.ap50 is None:
        found.append("no held-out pictures: accuracy was not measured")
    elif full.ap50 - chosen.ap50 > _AP50_LOSS_WORTH_A_WORD:
        found.append(f"AP50 fell from {full.ap50:.3f} to {chosen.ap50:.3f}")
    return tuple(found)


def _mb(count_bytes: int) -> str:
    return f"{count_bytes / _MEGABYTE:.1f} MB"
