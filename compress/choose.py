"""Which candidate a device gets, in which form: a pure decision over what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compress.forms import DEPLOYABLE, Form, runs_on
from compress.limits import Limits, broken_limits, distance, in_words, megabytes
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import BrokenLimit, Measurement

WANTED_F1 = 0.97
AP50_LOSS = 0.01

_TIGHT = 0.8
_AP50_LOSS_WORTH_A_WORD = 0.02
_ABOUT_THE_SAME = 0.01
_SAME_TIME = 1.05


@dataclass(frozen=True)
class Choice:
    """What was chosen; `broken` is empty when it fits, else the limits that even this nearest one breaks."""

    measured: Measurement
    broken: tuple[BrokenLimit, ...] = ()


def candidates(profile: DeviceProfile) -> tuple[Form, ...]:
    """Return the forms that the device can run, in the profile's order of runtimes."""
    forms: list[Form] = []
    for runtime in profile.runtimes:
        forms += [form for form in DEPLOYABLE if runs_on(form, (runtime,)) and form not in forms]
    return tuple(forms)


def choose(profile: DeviceProfile, limits: Limits, measured: Sequence[Measurement]) -> Choice:
    """Return the candidate for a device, in its first form, by the profile's order, that fits the limits.

    Of several that fit, those that answer as the full detector does come first: no more than `AP50_LOSS`
    lost, within the error of the comparison, and `WANTED_F1`, or as much as any has. Of them the quickest
    one; of about the same time, the smallest. If none does, the one that comes nearest to the full detector.
    When nothing fits, what breaks the limits least.
    """
    order = [form.name for form in candidates(profile)]
    possible = sorted((one for one in measured if one.form in order), key=lambda one: order.index(one.form))
    first: dict[str, Measurement] = {}
    for one in possible:
        if not _broken(limits, one):
            first.setdefault(one.candidate, one)
    if not first:
        nearest = min(possible, key=lambda one: (one.ended is not None, distance(_broken(limits, one))))
        return Choice(nearest, _broken(limits, nearest))
    fitting = list(first.values())
    best_f1 = max(one.agreement_f1 or 0.0 for one in fitting)
    faithful = [one for one in fitting if _is_faithful(one, best_f1)]
    return Choice(_quickest(faithful) if faithful else max(fitting, key=_nearness))


def refusal(profile: DeviceProfile, choice: Choice) -> str:
    """Return in one sentence why nothing fits, and what comes nearest."""
    one = choice.measured
    name = f"{one.form} of {one.candidate}" if one.candidate else one.form
    words = ", and ".join(in_words(broken) for broken in choice.broken)
    return f"nothing fits {profile.name}: the nearest, {name}, {words}"


def with_front(measured: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Return the measurements, marked where no other is smaller, quicker and more accurate at once."""
    return tuple(
        one.model_copy(
            update={"on_front": one.ended is None and not any(_beats(other, one) for other in measured)}
        )
        for one in measured
    )


def warnings(
    profile: DeviceProfile,
    input_size_px: tuple[int, int],
    full: Measurement,
    chosen: Measurement,
    limits: Limits,
) -> tuple[str, ...]:
    """Return what a person should know before using the chosen form."""
    found = []
    if input_size_px not in profile.input_sizes_px:
        width_px, height_px = input_size_px
        found.append(f"the network's input {width_px}x{height_px} is not among those of {profile.name}")
    memory_bytes = chosen.peak_memory_bytes or 0
    if _TIGHT * limits.max_ram_bytes < memory_bytes <= limits.max_ram_bytes:
        found.append(f"memory is tight: {megabytes(memory_bytes)} of {megabytes(limits.max_ram_bytes)}")
    if full.ap50 is None or chosen.ap50 is None:
        found.append("no held-out pictures: accuracy was not measured")
    elif full.ap50 - chosen.ap50 > _AP50_LOSS_WORTH_A_WORD:
        found.append(f"AP50 fell from {full.ap50:.3f} to {chosen.ap50:.3f}")
    if chosen.agreement_f1 is not None and chosen.agreement_f1 < WANTED_F1:
        found.append(
            f"{100 * (1 - chosen.agreement_f1):.1f} % of boxes are not those of the full detector "
            f"(F1 {chosen.agreement_f1:.3f} on {chosen.agreement_images} pictures)"
        )
    return tuple(found)


def _broken(limits: Limits, one: Measurement) -> tuple[BrokenLimit, ...]:
    return broken_limits(limits, one)


def _is_faithful(one: Measurement, best_f1: float) -> bool:
    if (one.agreement_f1 or 0.0) < min(WANTED_F1, best_f1 - _ABOUT_THE_SAME):
        return False
    # The whole interval below: it is worse by more than the error of the comparison.
    return one.ap50_change_95 is None or one.ap50_change_95[1] >= -AP50_LOSS


def _quickest(fitting: Sequence[Measurement]) -> Measurement:
    least_ms = min(one.ms_p50 or 0.0 for one in fitting)
    quick = [one for one in fitting if (one.ms_p50 or 0.0) <= _SAME_TIME * least_ms]
    return min(quick, key=lambda one: one.bytes)


def _nearness(one: Measurement) -> tuple[float, float]:
    return one.agreement_f1 or 0.0, one.ap50 or 0.0


def _beats(other: Measurement, one: Measurement) -> bool:
    """Tell whether another is at least as good in all and better in something."""
    if other.ended is not None:
        return False
    pairs = [
        (-other.bytes, -one.bytes),
        (-(other.ms_p50 or 0.0), -(one.ms_p50 or 0.0)),
        (other.ap50 or 0.0, one.ap50 or 0.0),
        (other.agreement_f1 or 0.0, one.agreement_f1 or 0.0),
    ]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
