"""The starter's network as TFLite, float and full int8."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_quantizer import calibrator, quantizer, recipe
from ai_edge_quantizer.utils import qsv_utils
from torch import nn

from compress.starter.weights import tensors_behind_output
from edge_agent.vision.arrays import Float32

_SIGNATURE = "serving_default"
_INPUT = "args_0"


def to_tflite(network: nn.Module, width_px: int, height_px: int) -> bytes:
    """Export a network that takes `(1, h, w, 3) float32` as a float TFLite file."""
    import litert_torch

    example = (torch.zeros(1, height_px, width_px, 3),)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        litert_torch.convert(network.eval(), example).export(str(path))
        return path.read_bytes()


def to_int8(model: bytes, samples: Sequence[Float32], box_limit: float) -> bytes:
    """Quantize a float TFLite file to int8, input and outputs too.

    Ranges are the true least and greatest values seen: a moving average would cut them and cost accuracy.

    Args:
        model: The float file; its first output are the raw boxes.
        samples: Calibration inputs, `(1, h, w, 3) float32`.
        box_limit: Raw boxes saturate at plus and minus this; far-off ones come only from anchors that see
            nothing, and would take precision from the others.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(model)
        quantization = quantizer.Quantizer(str(path), recipe.static_wi8_ai8())
        calibration = calibrator.Calibrator(
            str(path), num_threads=1, qsv_update_func=qsv_utils.min_max_update
        )
        inputs = {_SIGNATURE: [{_INPUT: sample} for sample in samples]}
        # There is no public way to calibrate with another update function.
        calibration.calibrate(inputs, quantization._recipe_manager)  # noqa: SLF001
        ranges = calibration.get_model_qsvs()
        _fix_input(ranges)
        _limit_boxes(model, ranges, box_limit)
        quantized = Path(folder, "int8.tflite")
        quantization.quantize(ranges).export_model(str(quantized))
        return quantized.read_bytes()


def _fix_input(ranges: dict[str, Any]) -> None:
    """Give the input scale 1/128 and zero point -1, so that int8 is the byte minus 128."""
    ranges[f"{_SIGNATURE}_{_INPUT}"] = {
        "min": np.full((1, 1, 1, 1), -127 / 128, np.float32),
        "max": np.ones((1, 1, 1, 1), np.float32),
    }


def _limit_boxes(model: bytes, ranges: dict[str, Any], limit: float) -> None:
    for name in tensors_behind_output(model, 0):
        ranges[name]["min"] = np.maximum(ranges[name]["min"], -limit)
        ranges[name]["max"] = np.minimum(ranges[name]["max"], limit)
