"""From trials to bundles and receipt: measure, tune thresholds, choose, write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from compress.accuracy import above, agreement_f1, average_precision, tuned_thresholds
from compress.bundle import BundleSpec, write_bundle
from compress.choose import choose, warnings
from compress.forms import FULL, LITERT_INT8, ONNX_INT8
from compress.machine import machine, versions
from compress.measure import Trial, percentile_ms
from compress.order import Order
from compress.receipt import write_receipt
from compress.result import Result
from compress.workbench import Workbench
from edge_agent.runtime.bundle import write_bundle_zip
from edge_agent.wire.manifest import MeasuredLimits
from edge_agent.wire.receipt import Measurement, Receipt


def pack(bench: Workbench, order: Order, trials: Iterable[Trial], out: Path) -> Result:
    """Write bundles and receipt, then move them to `out`.

    Raises:
        BudgetError: No form fits the device.
        ArtifactError: A bundle is not sound.
    """
    by_form = {trial.form: trial for trial in trials}
    full = by_form[FULL]
    before = _measurement(order, full, full, order.thresholds)
    packed = [_pack_form(bench, order, by_form[form], full, before) for form in (LITERT_INT8, ONNX_INT8)]
    chosen = choose(order.profile, [measured for measured, _ in packed])
    receipt = _receipt(bench, order, before, tuple(measured for measured, _ in packed), chosen)
    receipt_file, html_file = write_receipt(receipt, bench.folder)
    bench.check()
    # From here on only renames: all or, short of a power cut, nothing.
    bundles = {measured.form: _moved(file, out) for measured, file in packed}
    return Result(receipt, _moved(receipt_file, out), _moved(html_file, out), bundles)


def _pack_form(
    bench: Workbench, order: Order, trial: Trial, full: Trial, before: Measurement
) -> tuple[Measurement, Path]:
    thresholds = tuned_thresholds(full.run.calibration, trial.run.calibration, order.detector.labels)
    measured = _measurement(order, trial, full, thresholds)
    spec = BundleSpec(
        order.detector,
        trial.form,
        order.profile,
        order.release,
        order.created,
        thresholds=thresholds,
        golden=above(trial.run.golden, thresholds),
        measured=MeasuredLimits(
            machine=machine(),
            ms_p50=measured.ms_p50 or 0.0,
            ms_p99=measured.ms_p99 or 0.0,
            peak_memory_bytes=measured.peak_memory_bytes or 0,
            ap50=measured.ap50,
            images=measured.images,
        ),
        stage=trial.stage,
    )
    # The receipt inside a bundle cannot hold the bundle's own digest; the one beside it does.
    inner = _receipt(bench, order, before, (measured,), measured)
    folder = bench.folder / trial.form.name
    write_bundle(folder, spec, trial.model, order.pictures.golden, inner)
    file = bench.folder / f"{trial.form.name}.zip"
    digest = write_bundle_zip(folder, file)
    return measured.model_copy(update={"bundle_sha256": digest, "bundle_bytes": file.stat().st_size}), file


def _measurement(order: Order, trial: Trial, full: Trial, thresholds: Mapping[str, float]) -> Measurement:
    run, pictures = trial.run, order.pictures
    precision = average_precision(pictures.truth, run.held_out, order.detector.labels)
    looked_at = "held_out" if pictures.held_out else "calibration"
    return Measurement(
        form=trial.form.name,
        runtime=trial.form.runtime,
        precision=trial.form.precision,
        bytes=trial.model.stat().st_size,
        parameters=order.captured.parameters,
        ap50=None if precision is None else round(precision[0], 4),
        ap=None if precision is None else round(precision[1], 4),
        images=len(pictures.held_out),
        agreement_f1=round(
            agreement_f1(
                above(getattr(full.run, looked_at), order.thresholds),
                above(getattr(run, looked_at), thresholds),
            ),
            4,
        ),
        max_abs_error=trial.max_abs_error,
        ms_p50=percentile_ms(trial.inference_ms, 50),
        ms_p99=percentile_ms(trial.inference_ms, 99),
        peak_memory_bytes=run.peak_memory_bytes,
        embedding=trial.embedding,
    )


def _receipt(
    bench: Workbench,
    order: Order,
    before: Measurement,
    after: tuple[Measurement, ...],
    chosen: Measurement,
) -> Receipt:
    detector = order.detector
    return Receipt(
        detector=detector.ref,
        profile=order.profile.name,
        chosen=chosen.form,
        before=before,
        after=after,
        calibration_images=len(order.pictures.calibration),
        subnets=detector.subnets,
        versions=versions(),
        machine=machine(),
        reproduce=f"elfowl-compress run {detector.ref.id} --profile {order.profile.name} --out DIR",
        seconds=bench.meter.seconds,
        warnings=warnings(order.profile, detector.input_size_px, before, chosen),
        created=order.created,
    )


def _moved(file: Path, folder: Path) -> Path:
    return file.replace(folder / file.name)
