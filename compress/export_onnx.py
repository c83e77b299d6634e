"""The captured network as ONNX, in float and in int8 (QDQ); run as a process of its own.

Job: `program` (export archive), `pixels` (.npy of `(n, h, w, 3) uint8` for calibration), `outputs` (names),
`float_out`, `int8_out`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from compress.capture import INPUT_NAME, normalised
from compress.errors import ExportError
from compress.processes import Job, StepListener, serve
from compress.protocol import Rgb

_OPSET = 18


def main() -> None:
    """Wait for a job and do it."""
    torch.set_num_threads(1)
    serve(_import, export)


def _import() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime.quantization"):
        importlib.import_module(name)


def export(job: Job, on_step: StepListener) -> Job:
    """Do the job; see the module's text.

    Raises:
        ExportError: The network has an operation that cannot be written, or calibration failed.
    """
    pixels: Rgb = np.load(job["pixels"])
    try:
        on_step("onnx_convert")
        convert(Path(job["program"]), Path(job["float_out"]), job["outputs"])
        on_step("onnx_quantize")
        quantize(Path(job["float_out"]), Path(job["int8_out"]), pixels)
    except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        message = f"the network cannot be written as ONNX: {str(error).strip().splitlines()[-1][:300]}"
        raise ExportError(message) from error
    return {}


def convert(program: Path, out: Path, outputs: list[str]) -> None:
    """Write the captured network as a float ONNX file with its weights inside.

    Args:
        program: The export archive.
        out: The .onnx file to write.
        outputs: Names of the outputs in the network's order.
    """
    torch.onnx.export(
        torch.export.load(program),
        (),
        str(out),
        dynamo=True,
        opset_version=_OPSET,
        external_data=False,
        input_names=[INPUT_NAME],
        output_names=outputs,
        verbose=False,
    )


class _Samples:
    """Calibration pictures as onnxruntime's quantizer reads them."""

    def __init__(self, pixels: Rgb) -> None:
        self._left: Iterator[Rgb] = iter(pixels)

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        """Return the next sample, or none after the last."""
        picture = next(self._left, None)
        return None if picture is None else {INPUT_NAME: normalised(picture)[None]}


def quantize(float_file: Path, out: Path, pixels: Rgb) -> None:
    """Write an int8 form: QDQ, weights signed per channel, activations unsigned, true minimum and maximum.

    Args:
        float_file: The float network.
        out: The .onnx file to write.
        pixels: `(n, h, w, 3) uint8` pictures for calibration.
    """
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    shape_inference: Any = importlib.import_module("onnxruntime.quantization.shape_inference")
    prepared = out.with_suffix(".prepared.onnx")
    shape_inference.quant_pre_process(str(float_file), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(
        str(prepared),
        str(out),
        _Samples(pixels),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        # On x86 without VNNI, sums of two products saturate at 16 bits: weights of 7 bits cannot. That cost
        # more agreement with the full detector than the bit is worth.
        reduce_range=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )


if __name__ == "__main__":
    main()
