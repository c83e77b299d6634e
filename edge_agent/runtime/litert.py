"""TFLite networks, run by LiteRT or by its predecessor tflite-runtime."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.backend import check_input, dequantized, network_input
from edge_agent.runtime.chatter import without_greeting
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.manifest import InputSpec

LITERT_MODULE = "ai_edge_litert.interpreter"
TFLITE_MODULE = "tflite_runtime.interpreter"


class LiteRtBackend:
    """A TFLite network; outputs are found by the name of the signature's output, or of the tensor."""

    def __init__(
        self, model: bytes, spec: InputSpec, outputs: Sequence[str], threads: int, module: str
    ) -> None:
        """Load the network.

        Args:
            model: The .tflite file's bytes.
            spec: The input that the manifest promises.
            outputs: Names of the outputs to return.
            threads: Threads of one inference.
            module: `LITERT_MODULE` or `TFLITE_MODULE`.

        Raises:
            ImportError: The runtime's package is not installed.
            BackendError: The runtime cannot load the network.
            ArtifactError: The network is not what the manifest promises.
        """
        interpreter_type = importlib.import_module(module).Interpreter
        try:
            with without_greeting():
                self._interpreter: Any = interpreter_type(model_content=model, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError, TypeError) as error:
            message = f"{module.split('.', maxsplit=1)[0]} cannot load the network: {_one_line(error)}"
            raise BackendError(message) from error
        self._spec = spec
        self._input = self._checked_input()
        self._outputs = {name: self._output_detail(name) for name in outputs}

    def infer(self, pixels: Rgb) -> dict[str, Float32]:
        """Run the network on `(1, h, w, 3) uint8` RGB; see `Backend.infer`."""
        if self._interpreter is None:
            message = "the network is closed"
            raise BackendError(message)
        try:
            self._interpreter.set_tensor(self._input["index"], network_input(pixels, self._spec))
            self._interpreter.invoke()
            return {name: self._read(detail) for name, detail in self._outputs.items()}
        except (ValueError, RuntimeError) as error:
            message = f"the network failed: {_one_line(error)}"
            raise BackendError(message) from error

    def close(self) -> None:
        """Free the interpreter."""
        self._interpreter = None

    def _read(self, detail: Mapping[str, Any]) -> Float32:
        scale, zero_point = detail["quantization"]
        return dequantized(self._interpreter.get_tensor(detail["index"]), scale, zero_point)

    def _checked_input(self) -> Mapping[str, Any]:
        details: Sequence[Mapping[str, Any]] = self._interpreter.get_input_details()
        if len(details) != 1:
            message = f"the network has {len(details)} inputs, expected one"
            raise ArtifactError(message)
        detail = details[0]
        dtype = np.dtype(detail["dtype"]).name
        check_input((int(side) for side in detail["shape"]), dtype, self._spec)
        if dtype == "int8":
            scale, zero_point = detail["quantization"]
            _check_quantization(scale, zero_point, self._spec)
        return detail

    def _output_detail(self, name: str) -> Mapping[str, Any]:
        by_name = {detail["name"]: detail for detail in self._interpreter.get_output_details()}
        for signature in self._interpreter.get_signature_list():
            by_name |= self._interpreter.get_signature_runner(signature).get_output_details()
        if name not in by_name:
            message = f"the network has no output {name!r}; it has {', '.join(sorted(by_name))}"
            raise ArtifactError(message)
        detail: Mapping[str, Any] = by_name[name]
        if len(detail["quantization_parameters"]["scales"]) > 1:
            message = f"output {name!r} is quantized per channel, which is not supported"
            raise ArtifactError(message)
        return detail


def _check_quantization(scale: float, zero_point: int, spec: InputSpec) -> None:
    """Refuse an int8 input for which byte - 128 would not mean (byte - mean) / std."""
    fits = math.isclose(scale * spec.std, 1.0, rel_tol=0.02) and abs(zero_point - (spec.mean - 128.0)) <= 1.0
    if not fits:
        message = (
            f"int8 input with scale {scale:.6f}, zero point {zero_point} does not fit mean {spec.mean}, "
            f"std {spec.std}: byte - 128 would be misread"
        )
        raise ArtifactError(message)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
