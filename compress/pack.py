"""From trials to bundles and receipt: measure, tune thresholds, pack, choose, write."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from compress.accuracy import above
from compress.bundle import write_bundle
from compress.choose import Choice, choose, refusal, warnings, with_front
from compress.differences import curves, different_frames
from compress.effort import Effort
from compress.estimates import estimates
from compress.forms import DEPLOYABLE, FILE_FORMS, FULL
from compress.limits import Limits
from compress.machine import machine, versions
from compress.order import Order
from compress.parts import head_files, map_file
from compress.plots import Shown
from compress.receipt import write_receipt
from compress.result import Refusal, Result
from compress.targets import Target
from compress.trial import Trial
from compress.tried import Tried, ended_measurement, measurement, thresholds_of
from edge_agent.runtime.bundle import write_bundle_zip
from edge_agent.wire.manifest import MeasuredLimits
from edge_agent.wire.receipt import Measurement, Receipt, Removal

REFUSED = "refused"


@dataclass(frozen=True)
class Packing:
    """What was asked for, beside the orders of the candidates."""

    effort: Effort
    reproduce: str
    seconds: dict[str, float]
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Packed:
    tried: Tried
    trial: Trial
    thresholds: dict[str, float]
    measured: Measurement
    file: Path | None = None


@dataclass(frozen=True)
class Judged:
    """All candidates, the detector's own network first, with what does not depend on the device.

    `forms` has thresholds and measurement of each form that becomes a bundle, by the candidate's place.
    """

    tried: tuple[Tried, ...]
    full: Measurement
    forms: Mapping[tuple[int, str], tuple[dict[str, float], Measurement]]


def judged(tried: Sequence[Tried]) -> Judged:
    """Compare all candidates with the full detector; that takes seconds, and is the same for all devices."""
    full = tried[0].trial(FULL.name)
    forms = {}
    for number, one in enumerate(tried):
        for form in DEPLOYABLE:
            trial = one.trial(form.name)
            thresholds = thresholds_of(one, trial, full)
            forms[number, form.name] = thresholds, measurement(one, trial, full, thresholds)
    return Judged(tuple(tried), measurement(tried[0], full, full, tried[0].order.thresholds), forms)


def pack(folder: Path, judged: Judged, packing: Packing, target: Target) -> Result | Refusal:
    """Write the bundles of the candidate for a device, and its receipt, then move them to its folder.

    When no candidate fits its limits, `refused.json` and `refused.html` there tell what was tried, and an
    older result is left alone.

    Args:
        folder: Where to work.
        judged: All candidates.
        packing: What was asked for.
        target: The device.

    Raises:
        ArtifactError: A bundle is not sound.
    """
    tried = [_for_device(one, target) for one in judged.tried]
    out, before = target.out, judged.full
    plain = tried[0]
    full = plain.trial(FULL.name)
    packed = [
        _packed(folder / f"pack_{number}", one, form.name, judged.forms[number, form.name], before, packing)
        for number, one in enumerate(tried)
        for form in DEPLOYABLE
    ]
    rows = with_front([one.measured for one in packed])
    choice = choose(plain.order.profile, plain.order.limits, rows)
    chosen = next(one for one, row in zip(packed, rows, strict=True) if row is choice.measured)
    shown = _shown(chosen, full, _receipt(chosen, before, rows, choice, packing))
    if choice.broken:
        told = _moved_all(write_receipt(shown, folder, REFUSED), out)
        message = f"{refusal(plain.order.profile, choice)}; {out / REFUSED}.html tells what was tried"
        return Refusal(message, shown.receipt, *told)
    files = write_receipt(shown, folder)
    # From here on only renames: all or, short of a power cut, nothing.
    bundles = {
        one.measured.form: one.file.replace(out / f"{one.measured.form}.zip")
        for one in packed
        if one.tried is chosen.tried and one.file is not None
    }
    write_files(chosen.trial, chosen.tried.trials, packing.files, out / "files")
    json_file, html_file = _moved_all(files, out)
    for suffix in ("json", "html"):
        (out / f"{REFUSED}.{suffix}").unlink(missing_ok=True)
    return Result(shown.receipt, json_file, html_file, bundles)


def _for_device(one: Tried, target: Target) -> Tried:
    """Return a candidate as it is for one of the devices."""
    order = replace(one.order, profile=target.profile, limits=target.limits)
    trials = tuple(
        trial if trial.form == FULL else trial.under(target.limits.max_ram_bytes) for trial in one.trials
    )
    return replace(one, order=order, trials=trials)


def _packed(
    folder: Path,
    tried: Tried,
    form: str,
    found: tuple[dict[str, float], Measurement],
    before: Measurement,
    packing: Packing,
) -> _Packed:
    trial = tried.trial(form)
    thresholds, measured = found
    if trial.ended:
        return _Packed(tried, trial, thresholds, ended_measurement(tried, trial))
    one = _Packed(tried, trial, thresholds, measured)
    order = tried.order
    spec = replace(
        order.spec(trial.form),
        thresholds=thresholds,
        golden=above(trial.run.golden, thresholds),
        measured=_measured_limits(measured),
        stage=trial.stage,
    )
    # The receipt inside a bundle cannot hold the bundle's own digest; the one beside it does.
    inner = _small_receipt(order, before, measured, tried.removed, packing)
    bundle, file = folder / form, folder / f"{form}.zip"
    write_bundle(bundle, spec, trial.model, order.pictures.golden, inner)
    digest = write_bundle_zip(bundle, file)
    size = {"bundle_sha256": digest, "bundle_bytes": file.stat().st_size}
    return replace(one, measured=measured.model_copy(update=size), file=file)


def _measured_limits(measured: Measurement) -> MeasuredLimits:
    return MeasuredLimits(
        machine=machine(),
        ms_p50=measured.ms_p50 or 0.0,
        ms_p99=measured.ms_p99 or 0.0,
        peak_memory_bytes=measured.peak_memory_bytes or 0,
        ap50=measured.ap50,
        images=measured.images,
    )


def _small_receipt(
    order: Order, before: Measurement, measured: Measurement, removed: tuple[Removal, ...], packing: Packing
) -> Receipt:
    detector = order.detector
    return Receipt(
        detector=detector.ref,
        profile=order.profile.name,
        chosen=measured.form,
        before=before,
        after=(measured,),
        removed=removed,
        calibration_images=len(order.pictures.calibration),
        subnets=detector.subnets,
        versions=versions(),
        machine=machine(),
        reproduce=packing.reproduce,
        seconds=packing.seconds,
        warnings=warnings(order.profile, detector.input_size_px, before, measured, order.limits),
        created=order.created,
        effort=packing.effort.name,
        limits=_named(order.limits),
    )


def _receipt(
    chosen: _Packed, before: Measurement, rows: Sequence[Measurement], choice: Choice, packing: Packing
) -> Receipt:
    tried = chosen.tried
    whole = _small_receipt(tried.order, before, choice.measured, tried.removed, packing)
    return whole.model_copy(
        update={
            "after": tuple(row for row in rows if row.candidate == tried.name),
            "broken": choice.broken,
            "tried": tuple(rows),
            "estimates": estimates(tried.order.profile, choice.measured.macs),
            "notes": packing.notes,
        }
    )


def _shown(chosen: _Packed, full: Trial, receipt: Receipt) -> Shown:
    tried, trial = chosen.tried, chosen.trial
    if trial.ended:
        return Shown(receipt)
    order = tried.order
    drawn = different_frames(order, full.run.held_out, trial.run.held_out, chosen.thresholds)
    more = receipt.model_copy(
        update={
            "curves": curves(order, {FULL.name: full.run.held_out, trial.form.name: trial.run.held_out}),
            "differences": tuple(frame.told for frame in drawn),
        }
    )
    return Shown(more, tuple(frame.jpeg for frame in drawn))


def write_files(chosen: Trial, forms: Sequence[Trial], names: Sequence[str], folder: Path) -> None:
    """Copy a network's own files, each part of one that is in parts.

    Args:
        chosen: The form that was chosen.
        forms: All forms of its network. Where some layers stay in float, TFLite's files lie apart from the
            others.
        names: Of `compress.forms.FILE_FORMS`.
        folder: Where to; made when it is needed.
    """
    folders = tuple(dict.fromkeys(trial.model.parent for trial in (chosen, *forms)))
    for name in names:
        model = _first_there([one / FILE_FORMS[name] for one in folders])
        folder.mkdir(exist_ok=True)
        for file in (model, *head_files(model), map_file(model)):
            if file == model or file.exists():  # only a network in parts has a map between them
                shutil.copyfile(file, folder / file.name)


def _first_there(files: Sequence[Path]) -> Path:
    return next((file for file in files if file.exists()), files[0])


def _named(limits: Limits) -> dict[str, float]:
    values = {
        "memory_bytes": limits.max_ram_bytes,
        "storage_bytes": limits.storage_bytes,
        "bundle_bytes": limits.max_bytes,
        "ms": limits.max_ms,
        "ap50": limits.min_ap50,
    }
    return {name: float(value) for name, value in values.items() if value is not None}


def _moved_all(files: tuple[Path, Path], out: Path) -> tuple[Path, Path]:
    first, second = files
    return first.replace(out / first.name), second.replace(out / second.name)
