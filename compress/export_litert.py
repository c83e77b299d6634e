"""The captured network as TFLite, in float and in int8; run as a process of its own.

Job: `program` (export archive), `pixels` (.npy of `(n, h, w, 3) uint8` for calibration), `float_out`,
`int8_out`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compress.capture import INPUT_NAME, normalised
from compress.errors import ExportError
from compress.processes import Job, StepListener, serve
from compress.protocol import Rgb

_SIGNATURE = "serving_default"


def main() -> None:
    """Wait for a job and do it."""
    torch.set_num_threads(1)
    serve(lambda: importlib.import_module("litert_torch"), export)


def export(job: Job, on_step: StepListener) -> Job:
    """Do the job; see the module's text.

    Raises:
        ExportError: The network has an operation that cannot be written, or calibration failed.
    """
    pixels: Rgb = np.load(job["pixels"])
    try:
        on_step("litert_convert")
        convert(Path(job["program"]), Path(job["float_out"]), pixels.shape[1:3])
        on_step("litert_quantize")
        quantize(Path(job["float_out"]), Path(job["int8_out"]), pixels)
    except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        message = f"the network cannot be written as TFLite: {str(error).strip().splitlines()[-1][:300]}"
        raise ExportError(message) from error
    return {}


def convert(program: Path, out: Path, size: tuple[int, ...]) -> None:
    """Write the captured network as a float TFLite file.

    Args:
        program: The export archive.
        out: The .tflite file to write.
        size: (height, width) of the input.
    """
    litert_torch: Any = importlib.import_module("litert_torch")
    module = torch.export.load(program).module()
    sample = torch.zeros(1, *size, 3)
    litert_torch.convert(module, sample_kwargs={INPUT_NAME: sample}).export(str(out))


def quantize(float_file: Path, out: Path, pixels: Rgb) -> None:
    """Write an int8 form (weights, activations, input and output) of a float TFLite file.

    Ranges are the true minimum and maximum over the calibration pictures: the library's own moving average
    clips them, which cost 2 points of AP in trials. The input's range is fixed, so that int8 = byte - 128.

    Args:
        float_file: The float network.
        out: The .tflite file to write.
        pixels: `(n, h, w, 3) uint8` pictures for calibration.
    """
    calibrator: Any = importlib.import_module("ai_edge_quantizer.calibrator")
    quantizer: Any = importlib.import_module("ai_edge_quantizer.quantizer")
    recipe: Any = importlib.import_module("ai_edge_quantizer.recipe")
    qsv_utils: Any = importlib.import_module("ai_edge_quantizer.utils.qsv_utils")

    plan = quantizer.Quantizer(str(float_file), recipe.static_wi8_ai8())
    ranges = calibrator.Calibrator(str(float_file), num_threads=1, qsv_update_func=qsv_utils.min_max_update)
    samples = [{INPUT_NAME: normalised(picture)[None]} for picture in pixels]
    # The library offers no public way to calibrate with another update function.
    ranges.calibrate({_SIGNATURE: samples}, plan._recipe_manager)  # noqa: SLF001
    measured = ranges.get_model_qsvs()
    measured[f"{_SIGNATURE}_{INPUT_NAME}"] = {
        "min": np.full((1, 1, 1, 1), -127 / 128, np.float32),
        "max": np.ones((1, 1, 1, 1), np.float32),
    }
    plan.quantize(measured).export_model(str(out))


if __name__ == "__main__":
    main()
