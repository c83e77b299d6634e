"""ONNX networks, run by ONNX Runtime on the processor."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.backend import check_input, network_input
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.manifest import InputSpec

_DTYPES = {"tensor(float)": "float32", "tensor(int8)": "int8", "tensor(uint8)": "uint8"}
_ERRORS_ONLY = 3


class OnnxBackend:
    """An ONNX network with NHWC input and float outputs."""

    def __init__(self, model: bytes, spec: InputSpec, outputs: Sequence[str], threads: int) -> None:
        """Load the network.

        Args:
            model: The .onnx file's bytes, weights inside.
            spec: The input that the manifest promises.
            outputs: Names of the outputs to return.
            threads: Threads of one inference.

        Raises:
            ImportError: onnxruntime is not installed.
            BackendError: The runtime cannot load the network.
            ArtifactError: The network is not what the manifest promises.
        """
        self._spec = spec
        self._names = list(outputs)
        self._session: Any = _open_session(model, threads)
        self._input_name = self._checked_input()
        self._check_outputs()

    def infer(self, pixels: Rgb) -> dict[str, Float32]:
        """Run the network on `(1, h, w, 3) uint8` RGB; see `Backend.infer`."""
        if self._session is None:
            message = "the network is closed"
            raise BackendError(message)
        feed = {self._input_name: network_input(pixels, self._spec)}
        try:
            arrays = self._session.run(self._names, feed)
        except Exception as error:  # its errors have no common base of their own
            message = f"the network failed: {_one_line(error)}"
            raise BackendError(message) from error
        return {name: np.asarray(array, np.float32) for name, array in zip(self._names, arrays, strict=True)}

    def close(self) -> None:
        """Free the session."""
        self._session = None

    def _checked_input(self) -> str:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            message = f"the network has {len(inputs)} inputs, expected one"
            raise ArtifactError(message)
        check_input(inputs[0].shape, _DTYPES.get(inputs[0].type, inputs[0].type), self._spec)
        return str(inputs[0].name)

    def _check_outputs(self) -> None:
        types = {output.name: output.type for output in self._session.get_outputs()}
        for name in self._names:
            if name not in types:
                message = f"the network has no output {name!r}; it has {', '.join(sorted(types))}"
                raise ArtifactError(message)
            if types[name] not in {"tensor(float)", "tensor(float16)"}:
                message = (
                    f"output {name!r} is {types[name]}, expected a float: ONNX keeps no scale for outputs"
                )
                raise ArtifactError(message)


def _open_session(model: bytes, threads: int) -> Any:  # noqa: ANN401 - onnxruntime ships no types
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between frames would burn a small device's battery and heat it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base of their own
        message = f"onnxruntime cannot load the network: {_one_line(error)}"
        raise BackendError(message) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
