"""Two lanes side by side: each exports, quantizes and runs what it made as a camera does."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from compress.bundle import write_bundle
from compress.forms import FULL, LITERT_FP32, LITERT_INT8, ONNX_INT8, Form
from compress.measure import check_parity
from compress.order import Order
from compress.processes import Child
from compress.second_stage import OUTPUT_NAME, measure_stage, stage_files
from compress.trial import Trial, compare_form, try_form
from compress.workbench import Workbench


def start_exporters(bench: Workbench) -> tuple[Child, Child]:
    """Start both exporters early: they import for seconds while the network is captured."""
    return bench.start("compress.export_litert"), bench.start("compress.export_onnx")


def litert_lane(bench: Workbench, order: Order, exporter: Child) -> list[Trial]:
    """Make and try the TFLite forms.

    Raises:
        ExportError: The network cannot be written or quantized.
        ParityError: The float form does not answer as torch does.
    """
    float_file, int8_file = _export(bench, order, exporter, "float.tflite", "int8.tflite")
    with bench.step("litert_measure"):
        camera = bench.start("compress.camera_process")
        parity = compare_form(camera, order.spec(LITERT_FP32), float_file, order.tryout(LITERT_FP32))
        camera.close()
        check_parity(LITERT_FP32, parity.max_abs_error, order.captured.references)
        return [_with_stage(_try(bench, order, LITERT_INT8, int8_file), order, exporter, bench)]


def onnx_lane(bench: Workbench, order: Order, exporter: Child) -> list[Trial]:
    """Make and try the ONNX forms; the float one stands for the full detector.

    Raises:
        ExportError: The network cannot be written or quantized.
        ParityError: The float form does not answer as torch does.
    """
    float_file, int8_file = _export(bench, order, exporter, "float.onnx", "int8.onnx")
    with bench.step("full_measure"):
        full = _try(bench, order, FULL, float_file)
        check_parity(FULL, full.max_abs_error, order.captured.references)
    with bench.step("onnx_measure"):
        return [full, _with_stage(_try(bench, order, ONNX_INT8, int8_file), order, exporter, bench)]


def _export(
    bench: Workbench, order: Order, exporter: Child, float_name: str, int8_name: str
) -> tuple[Path, Path]:
    float_file, int8_file = bench.folder / float_name, bench.folder / int8_name
    finished = bench.folder / f"{int8_name}.finished"
    if finished.exists():  # by a compression that was ended
        if order.stage is None:
            exporter.close()
        return float_file, int8_file
    steps: list[str] = []

    def note(step: str) -> None:
        if steps:
            bench.meter.end(steps[-1])
        steps.append(step)
        bench.meter.begin(step)

    exporter.ask(
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
    finished.touch()
    if order.stage is None:
        exporter.close()
    return float_file, int8_file


def _with_stage(trial: Trial, order: Order, exporter: Child, bench: Workbench) -> Trial:
    """Export the second stage with the process that wrote the first, and run it as a camera does."""
    if order.stage is None:
        return trial
    model = bench.folder / f"embedding_{trial.form.name}{trial.model.suffix}"
    exporter.ask(
        {
            "program": str(order.stage.program_file),
            "pixels": str(order.stage.crops_file),
            "outputs": [OUTPUT_NAME],
            "float_out": str(model.with_name(f"float_{model.name}")),
            "int8_out": str(model),
        }
    )
    exporter.close()
    files = stage_files(order.stage, trial.form, model)
    folder = bench.folder / f"stage_{trial.form.name}"
    write_bundle(folder, replace(order.spec(trial.form), stage=files), trial.model)
    return replace(trial, stage=files, embedding=measure_stage(order.stage, folder))


def _try(bench: Workbench, order: Order, form: Form, model: Path) -> Trial:
    start = functools.partial(bench.start, "compress.camera_process")
    return try_form(start, order.spec(form), model, order.tryout(form))
