"""Compression from end to end: capture, export twice, run both as a camera does, choose, pack."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.accuracy import above, agreement_f1, average_precision, tuned_thresholds
from compress.bundle import BundleSpec, write_bundle
from compress.capture import Capture, capture
from compress.choose import choose, warnings
from compress.forms import FULL, LITERT_FP32, LITERT_INT8, ONNX_INT8, Form
from compress.machine import machine, versions
from compress.measure import Trial, check_parity, percentile_ms, try_form
from compress.pictures import StoredPictures, store_pictures
from compress.processes import Child
from compress.progress import ProgressListener, ProgressMeter, Stage, Step
from compress.protocol import Compressible
from compress.receipt import write_receipt
from compress.workbench import Cancelled, Workbench, open_workbench
from edge_agent.clock import Clock, SystemClock
from edge_agent.runtime.bundle import write_bundle_zip
from edge_agent.wire.manifest import MeasuredLimits
from edge_agent.wire.profile import DeviceProfile
from edge_agent.wire.receipt import Measurement, Receipt

PLAN: tuple[Stage, ...] = (
    ("prepare", ((Step("prepare", "Capturing the network", 6.0),),)),
    (
        "export",
        (
            (
                Step("litert_convert", "Writing TFLite", 14.0),
                Step("litert_quantize", "Making TFLite int8", 7.0),
                Step("litert_measure", "Running the TFLite bundle as a camera does", 5.0),
            ),
            (
                Step("onnx_convert", "Writing ONNX", 6.0),
                Step("onnx_quantize", "Making ONNX int8", 7.0),
                Step("full_measure", "Running the full detector", 5.0),
                Step("onnx_measure", "Running the ONNX bundle as a camera does", 4.0),
            ),
        ),
    ),
    ("pack", ((Step("pack", "Packing bundles and receipt", 1.0),),)),
)

_PARITY_PICTURES = 2


@dataclass(frozen=True)
class Result:
    """What a compression wrote and measured; `bundles` by form, `chosen` the form for the profile."""

    receipt: Receipt
    receipt_file: Path
    html_file: Path
    bundles: Mapping[str, Path]

    @property
    def chosen(self) -> Path:
        """Return the bundle for the profile's device."""
        return self.bundles[self.receipt.chosen]

    def to_json_dict(self) -> dict[str, Any]:
        """Return what `elfowl-compress run --json` prints."""
        receipt = self.receipt
        return {
            "detector": receipt.detector.model_dump(),
            "profile": receipt.profile,
            "chosen": receipt.chosen,
            "bundles": {
                measured.form: {
                    "path": str(self.bundles[measured.form]),
                    "bytes": measured.bundle_bytes,
                    "sha256": measured.bundle_sha256,
                    **measured.model_dump(include=_SHOWN),
                }
                for measured in receipt.after
            },
            "ap50": {measured.form: measured.ap50 for measured in (receipt.before, *receipt.after)},
            "full": receipt.before.model_dump(include={"bytes", *_SHOWN}),
            "receipt": str(self.receipt_file),
            "receipt_html": str(self.html_file),
            "warnings": list(receipt.warnings),
            "seconds": receipt.seconds,
        }


_SHOWN = {"ap50", "ap", "images", "agreement_f1", "max_abs_error", "ms_p50", "ms_p99", "peak_memory_bytes"}


@dataclass(frozen=True)
class _Order:
    """What was asked for, and the detector's pictures and network as files."""

    detector: Compressible
    profile: DeviceProfile
    release: int
    created: float
    pictures: StoredPictures
    captured: Capture

    def spec(self, form: Form) -> BundleSpec:
        return BundleSpec(self.detector, form, self.profile, self.release, self.created)


def compress(
    detector: Compressible,
    profile: DeviceProfile,
    out: Path,
    *,
    progress: ProgressListener | None = None,
    cancelled: Cancelled = lambda: False,
    clock: Clock | None = None,
    release: int | None = None,
) -> Result:
    """Turn a full detector into bundles for a device, and measure what that cost.

    Args:
        detector: The full detector.
        profile: The device.
        out: Folder for `litert_int8.zip`, `onnx_int8.zip`, `receipt.json` and `receipt.html`; each replaces
            an older one in one step, and nothing is written unless all succeed.
        progress: Told a few times a second how far it is.
        cancelled: Asked a few times a second; once it says true, everything stops within a few seconds.
        clock: Where times come from.
        release: The bundles' release number, the detector's version by default.

    Raises:
        ExportError: The network cannot be captured, written or quantized.
        ParityError: A float export does not answer as torch does.
        BudgetError: No form fits the device.
        CancelledError: `cancelled` said so.
        StorageError: `out` cannot be written, or the disk is full.
    """
    clock = clock or SystemClock()
    meter = ProgressMeter(PLAN, clock, progress)
    with open_workbench(out, meter, cancelled) as bench:
        exporters = _start_exporters(bench)
        with bench.step("prepare"):
            pictures = store_pictures(detector, bench.folder)
            bench.check()
            captured = capture(
                detector, pictures.calibration[:_PARITY_PICTURES], bench.folder / "network.pt2"
            )
            order = _Order(
                detector, profile, release or detector.ref.version, clock.now_s(), pictures, captured
            )
        lanes = [
            functools.partial(lane, bench, order, exporter)
            for lane, exporter in zip((_litert_lane, _onnx_lane), exporters, strict=True)
        ]
        trials = {trial.form: trial for lane in bench.in_lanes(lanes) for trial in lane}
        with bench.step("pack"):
            return _pack(bench, order, trials, out)


def _start_exporters(bench: Workbench) -> tuple[Child, Child]:
    """Start both exporters early: they import for seconds while the network is captured."""
    return bench.start("compress.export_litert"), bench.start("compress.export_onnx")


def _litert_lane(bench: Workbench, order: _Order, exporter: Child) -> list[Trial]:
    float_file, int8_file = _export(bench, order, exporter, "float.tflite", "int8.tflite")
    with bench.step("litert_measure"):
        parity = _try(bench, order, LITERT_FP32, float_file, full_run=False)
        check_parity(parity, order.captured.references)
        return [_try(bench, order, LITERT_INT8, int8_file)]


def _onnx_lane(bench: Workbench, order: _Order, exporter: Child) -> list[Trial]:
    float_file, int8_file = _export(bench, order, exporter, "float.onnx", "int8.onnx")
    with bench.step("full_measure"):
        full = _try(bench, order, FULL, float_file)
        check_parity(full, order.captured.references)
    with bench.step("onnx_measure"):
        return [full, _try(bench, order, ONNX_INT8, int8_file)]


def _export(
    bench: Workbench, order: _Order, exporter: Child, float_name: str, int8_name: str
) -> tuple[Path, Path]:
    float_file, int8_file = bench.folder / float_name, bench.folder / int8_name
    steps: list[str] = []

    def note(step: str) -> None:
        if steps:
            bench.meter.end(steps[-1])
        steps.append(step)
        bench.meter.begin(step)

    exporter.run(
        {
            "program": str(order.captured.program_file),
            "pixels": str(order.pictures.calibration_file),
            "outputs": order.captured.output_names,
            "float_out": str(float_file),
            "int8_out": str(int8_file),
        },
        note,
    )
    bench.meter.end(steps[-1])
    return float_file, int8_file


def _try(bench: Workbench, order: _Order, form: Form, model: Path, *, full_run: bool = True) -> Trial:
    return try_form(
        bench.start("compress.camera_process"),
        order.spec(form),
        model,
        order.pictures,
        order.captured.references,
        full_run=full_run,
    )


def _pack(bench: Workbench, order: _Order, trials: Mapping[Form, Trial], out: Path) -> Result:
    full = trials[FULL]
    before = _measurement(order, full, full, _own_thresholds(order))
    packed = [_pack_form(bench, order, trials[form], full, before) for form in (LITERT_INT8, ONNX_INT8)]
    chosen = choose(order.profile, [measured for measured, _ in packed])
    receipt = _receipt(bench, order, before, tuple(measured for measured, _ in packed), chosen)
    receipt_file, html_file = write_receipt(receipt, bench.folder)
    bench.check()
    # From here on only renames: all or, short of a power cut, nothing.
    bundles = {measured.form: _moved(file, out) for measured, file in packed}
    return Result(receipt, _moved(receipt_file, out), _moved(html_file, out), bundles)


def _pack_form(
    bench: Workbench, order: _Order, trial: Trial, full: Trial, before: Measurement
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
    )
    # The receipt inside a bundle cannot hold the bundle's own digest; the one beside it does.
    inner = _receipt(bench, order, before, (measured,), measured)
    folder = bench.folder / trial.form.name
    write_bundle(folder, spec, trial.model, order.pictures.golden, inner)
    file = bench.folder / f"{trial.form.name}.zip"
    digest = write_bundle_zip(folder, file)
    return measured.model_copy(update={"bundle_sha256": digest, "bundle_bytes": file.stat().st_size}), file


def _measurement(order: _Order, trial: Trial, full: Trial, thresholds: Mapping[str, float]) -> Measurement:
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
                above(getattr(full.run, looked_at), _own_thresholds(order)),
                above(getattr(run, looked_at), thresholds),
            ),
            4,
        ),
        max_abs_error=trial.max_abs_error,
        ms_p50=percentile_ms(run.inference_ms, 50),
        ms_p99=percentile_ms(run.inference_ms, 99),
        peak_memory_bytes=run.peak_memory_bytes,
    )


def _own_thresholds(order: _Order) -> dict[str, float]:
    return {label.slug: label.threshold for label in order.detector.labels}


def _receipt(
    bench: Workbench,
    order: _Order,
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
