"""The captured network as TFLite, in float and in int8; run as a process of its own.

Job: `program` (export archive), `pixels` (.npy of `(n, h, w, 3) uint8` for calibration), `outputs` (names),
`float_out`, `int8_out`. A network in two parts gives trunk and heads, as `compress.parts` says. With `trunk`
(a finished int8 trunk) only the heads beside `program` are written, beside `int8_out`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compress.errors import ExportError
from compress.export_parts import Samples, export_job
from compress.litert_layers import most_hurt, recipe_with_float
from compress.litert_tidy import tidy
from compress.processes import Job, StepListener, serve
from edge_agent.runtime.litert import LITERT_MODULE, LiteRtNetwork

_SIGNATURE = "serving_default"
_PICTURE_STEPS = (1 / 128, -1)
_LOOKS = 4


def main() -> None:
    """Wait for a job and do it."""
    torch.set_num_threads(1)
    serve(lambda: importlib.import_module("litert_torch"), export)


def export(job: Job, on_step: StepListener) -> Job:
    """Do the job; see the module's text.

    Raises:
        ExportError: The network has an operation that cannot be written, or calibration failed.
    """
    tools = LiteRtTools(sensitive=bool(job.get("sensitive")))
    try:
        export_job(tools, job, lambda _: on_step("litert_convert"), lambda _: on_step("litert_quantize"))
    except (RuntimeError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        message = f"the network cannot be written as TFLite: {str(error).strip().splitlines()[-1][:300]}"
        raise ExportError(message) from error
    return {"float_layers": tools.float_layers}


class LiteRtTools:
    """Implements `compress.export_parts.Tools` for TFLite.

    With `sensitive`, the layers that int8 hurts most stay in float; `float_layers` counts them.
    """

    def __init__(self, *, sensitive: bool = False) -> None:
        self._sensitive = sensitive
        self.float_layers = 0

    def convert(self, program: Path, out: Path, samples: Samples, _outputs: list[str]) -> None:
        """Write an export archive as a float TFLite file."""
        litert_torch: Any = importlib.import_module("litert_torch")
        module = torch.export.load(program).module()
        sample = torch.from_numpy(samples.first())
        litert_torch.convert(module, sample_kwargs={samples.input_name: sample}).export(str(out))
        tidy(out)

    def quantize(self, float_file: Path, out: Path, samples: Samples) -> None:
        """Write an int8 form (weights, activations, input and output) of a float TFLite file.

        Ranges are the true minimum and maximum over the samples: the library's own moving average clips them,
        which cost 2 points of AP in trials. The input's range is fixed: a picture's such that int8 = byte -
        128, a map's such that it is what the trunk answers.
        """
        calibrator: Any = importlib.import_module("ai_edge_quantizer.calibrator")
        quantizer: Any = importlib.import_module("ai_edge_quantizer.quantizer")
        qsv_utils: Any = importlib.import_module("ai_edge_quantizer.utils.qsv_utils")

        plan = quantizer.Quantizer(str(float_file), recipe_with_float())
        ranges = calibrator.Calibrator(
            str(float_file), num_threads=1, qsv_update_func=qsv_utils.min_max_update
        )
        inputs = [{samples.input_name: one} for one in samples.each()]
        # The library offers no public way to calibrate with another update function.
        ranges.calibrate({_SIGNATURE: inputs}, plan._recipe_manager)  # noqa: SLF001
        measured = ranges.get_model_qsvs()
        scale, zero_point = samples.steps or _PICTURE_STEPS
        measured[f"{_SIGNATURE}_{samples.input_name}"] = {
            "min": np.full((1, 1, 1, 1), (-128 - zero_point) * scale, np.float32),
            "max": np.full((1, 1, 1, 1), (127 - zero_point) * scale, np.float32),
        }
        if self._sensitive:
            kept = most_hurt(float_file, measured, inputs[:_LOOKS])
            self.float_layers += len(kept)
            plan = quantizer.Quantizer(str(float_file), recipe_with_float(kept))
        # What an ended run left half-written there is written anew.
        plan.quantize(measured).export_model(str(out), overwrite=True)

    def load(self, model: Path) -> LiteRtNetwork:
        """Load a file."""
        return LiteRtNetwork(model.read_bytes(), 1, LITERT_MODULE)

    def steps_of(self, model: Path, output: str) -> tuple[float, int]:
        """Return scale and zero point of an output."""
        tensor = self.load(model).outputs([output])[output]
        return tensor.scale, tensor.zero_point


if __name__ == "__main__":
    main()
