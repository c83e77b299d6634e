"""Where int8 loses too much: the most sensitive layers of the network stay in float."""

from __future__ import annotations

import functools
from dataclasses import replace

from compress.accuracy import above, agreement_f1, tuned_thresholds
from compress.camera_process import CameraRun
from compress.forms import FULL, LITERT_INT8
from compress.order import Order
from compress.trial import Trial, try_form
from compress.tried import Seen
from compress.workbench import Workbench
from edge_agent.wire.receipt import Removal

ALLOWED_F1 = 0.97
"""Agreement of int8 with the same network in float, from which on nothing is done."""

_WORTH_IT = 0.005


def rescued(
    bench: Workbench, order: Order, trials: tuple[Trial, ...]
) -> tuple[tuple[Trial, ...], tuple[Removal, ...]]:
    """Return the trials, TFLite's int8 perhaps with some layers in float, and what there is to tell of it.

    Of ONNX all stays in int8: it is the second choice on every device for which int8 is made.

    Raises:
        ExportError: The network cannot be quantized.
    """
    by_form = {trial.form: trial for trial in trials}
    full, int8 = by_form[FULL], by_form[LITERT_INT8]
    before = 0.0 if int8.ended else _agreement(order, full, int8)
    if int8.ended or before >= ALLOWED_F1:
        return trials, ()
    mixed = _mixed(bench, order)
    if mixed is None or len(mixed.refused) > len(int8.refused):  # too large for some device
        return trials, ()
    after = _agreement(order, full, mixed)
    if after < before + _WORTH_IT:
        return trials, ()
    told = (
        f"layers that stay in float: {mixed.float_layers}; with all in int8, F1 with the same network in "
        f"float was {before:.3f}, now it is {after:.3f}"
    )
    mixed = replace(mixed, stage=int8.stage, embedding=int8.embedding)
    kept = tuple(mixed if trial is int8 else trial for trial in trials)
    return kept, (Removal(stage="int8", what=told),)


def _mixed(bench: Workbench, order: Order) -> Trial | None:
    """Return the trial of TFLite with its most sensitive layers in float; none when no layer stands out."""
    folder = bench.folder / "mixed"
    folder.mkdir(exist_ok=True)
    model = folder / "int8.tflite"
    exporter = bench.start("compress.export_litert")
    answer = exporter.ask(
        {
            "program": str(order.captured.program_file),
            "pixels": str(order.pictures.calibration_file),
            "outputs": order.captured.output_names,
            "float_out": str(folder / "float.tflite"),
            "int8_out": str(model),
            "sensitive": True,
        }
    )
    exporter.close()
    if not answer["float_layers"]:
        return None
    start = functools.partial(bench.start, "compress.camera_process")
    trial = try_form(start, order.spec(LITERT_INT8), model, order.tryout(LITERT_INT8))
    return replace(trial, float_layers=answer["float_layers"])


def _agreement(order: Order, full: Trial, small: Trial) -> float:
    thresholds = tuned_thresholds(full.run.calibration, small.run.calibration, order.detector.labels)
    return agreement_f1(above(_seen(full.run), order.thresholds), above(_seen(small.run), thresholds))


def _seen(run: CameraRun) -> Seen:
    return (*run.held_out, *run.unlabelled) or run.calibration
