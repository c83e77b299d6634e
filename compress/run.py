"""Compression from end to end: capture, export twice, run both as a camera does, choose, pack."""

from __future__ import annotations

import functools
from pathlib import Path

from compress.capture import capture
from compress.lanes import litert_lane, onnx_lane, start_exporters
from compress.measure import time_in_turns
from compress.order import Order
from compress.pack import pack
from compress.pictures import store_pictures
from compress.progress import ProgressListener, ProgressMeter, Stage, Step
from compress.protocol import Compressible
from compress.result import Result
from compress.second_stage import capture_stage
from compress.workbench import Cancelled, open_workbench
from edge_agent.clock import Clock, SystemClock
from edge_agent.wire.profile import DeviceProfile

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
    ("time", ((Step("time", "Timing all forms in turns", 4.0),),)),
    ("pack", ((Step("pack", "Packing bundles and receipt", 1.0),),)),
)

__all__ = ["PLAN", "Result", "compress"]

_PARITY_PICTURES = 2


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
        exporters = start_exporters(bench)
        with bench.step("prepare"):
            pictures = store_pictures(detector, bench.folder)
            bench.check()
            captured = capture(
                detector, pictures.calibration[:_PARITY_PICTURES], bench.folder / "network.pt2"
            )
            order = Order(
                detector,
                profile,
                release or detector.ref.version,
                clock.now_s(),
                pictures,
                captured,
                capture_stage(detector, bench.folder),
            )
        lanes = [
            functools.partial(lane, bench, order, exporter)
            for lane, exporter in zip((litert_lane, onnx_lane), exporters, strict=True)
        ]
        trials = [trial for lane in bench.in_lanes(lanes) for trial in lane]
        with bench.step("time"):
            timing = functools.partial(time_in_turns, trials, pictures.calibration_file)
            trials = bench.in_lanes([timing])[0]
        with bench.step("pack"):
            return pack(bench, order, trials, out)
