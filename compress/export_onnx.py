"""The captured network as ONNX, in float and in int8 (QDQ); run as a process of its own.

Job: `program` (export archive), `pixels` (.npy of `(n, h, w, 3) uint8` for calibration), `outputs` (names),
`float_out`, `int8_out`. A network in two parts gives trunk and heads, as `compress.parts` says. With `trunk`
(a finished int8 trunk) only the heads beside `program` are written, beside `int8_out`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compress.errors import ExportError
from compress.export_parts import Samples, export_job
from compress.processes import Job, StepListener, serve
from edge_agent.runtime.onnx import OnnxNetwork
from edge_agent.vision.arrays import Float32

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
    try:
        export_job(OnnxTools(), job, lambda _: on_step("onnx_convert"), lambda _: on_step("onnx_quantize"))
    except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        message = f"the network cannot be written as ONNX: {str(error).strip().splitlines()[-1][:300]}"
        raise ExportError(message) from error
    return {}


class _Reader:
    """Samples as onnxruntime's quantizer reads them."""

    def __init__(self, samples: Samples) -> None:
        self._name = samples.input_name
        self._left: Iterator[Float32] = samples.each()

    def get_next(self) -> dict[str, Float32] | None:
        """Return the next sample, or none after the last."""
        sample = next(self._left, None)
        return None if sample is None else {self._name: sample}


class OnnxTools:
    """Implements `compress.export_parts.Tools` for ONNX."""

    def convert(self, program: Path, out: Path, samples: Samples, outputs: list[str]) -> None:
        """Write an export archive as a float ONNX file with its weights inside."""
        torch.onnx.export(
            torch.export.load(program),
            (),
            str(out),
            dynamo=True,
            opset_version=_OPSET,
            external_data=False,
            input_names=[samples.input_name],
            output_names=outputs,
            verbose=False,
        )

    def quantize(self, float_file: Path, out: Path, samples: Samples) -> None:
        """Write an int8 form: QDQ, weights signed per channel, activations unsigned, true ranges."""
        quantization: Any = importlib.import_module("onnxruntime.quantization")
        shape_inference: Any = importlib.import_module("onnxruntime.quantization.shape_inference")
        prepared = out.with_suffix(".prepared.onnx")
        shape_inference.quant_pre_process(str(float_file), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(out),
            _Reader(samples),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            # On x86 without VNNI, sums of two products saturate at 16 bits: weights of 7 bits cannot. That
            # cost more agreement with the full detector than the bit is worth.
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            extra_options=_fixed_steps(samples),
        )

    def load(self, model: Path) -> OnnxNetwork:
        """Load a file."""
        return OnnxNetwork(model.read_bytes(), 1)

    def steps_of(self, model: Path, output: str) -> tuple[float, int]:
        """Return scale and zero point of an output, which the last operation makes into floats."""
        onnx: Any = importlib.import_module("onnx")
        graph = onnx.load(str(model)).graph
        values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if output in node.output and node.op_type == "DequantizeLinear":
                return float(values[node.input[1]]), int(values[node.input[2]])
        message = f"the output {output!r} of {model.name} is not quantized"
        raise ValueError(message)


def _fixed_steps(samples: Samples) -> dict[str, Any]:
    if samples.steps is None:
        return {}
    scale, zero_point = np.array(samples.steps[0], np.float32), np.array(samples.steps[1], np.uint8)
    return {"TensorQuantOverrides": {samples.input_name: [{"scale": scale, "zero_point": zero_point}]}}


if __name__ == "__main__":
    main()
