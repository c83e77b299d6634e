"""ONNX networks, run by ONNX Runtime on the processor."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.backend import NetworkBackend, Raw, Tensor
from edge_agent.wire.manifest import InputSpec

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(float16)": "float16",
}
_ERRORS_ONLY = 3


class OnnxNetwork:
    """An ONNX network with one input and float outputs."""

    def __init__(self, model: bytes, threads: int) -> None:
        """Load the network.

        Args:
            model: The .onnx file's bytes, weights inside.
            threads: Threads of one inference.

        Raises:
            ImportError: onnxruntime is not installed.
            BackendError: The runtime cannot load the network.
            ArtifactError: It has not exactly one input.
        """
        self._session: Any = _open_session(model, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            message = f"the network has {len(inputs)} inputs, expected one"
            raise ArtifactError(message)
        self._input_name = str(inputs[0].name)
        self.input = _tensor(inputs[0])
        self._outputs = {output.name: _tensor(output) for output in self._session.get_outputs()}

    def outputs(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return what the network answers under these names; see `Network.outputs`."""
        return {name: self._output(name) for name in names}

    def run(self, values: Raw, names: Sequence[str]) -> dict[str, Raw]:
        """Run the network; see `Network.run`."""
        if self._session is None:
            message = "the network is closed"
            raise BackendError(message)
        try:
            arrays = self._session.run(list(names), {self._input_name: values})
        except Exception as error:  # its errors have no common base of their own
            message = f"the network failed: {_one_line(error)}"
            raise BackendError(message) from error
        return {name: np.asarray(array, np.float32) for name, array in zip(names, arrays, strict=True)}

    def close(self) -> None:
        """Free the session."""
        self._session = None

    def _output(self, name: str) -> Tensor:
        if name not in self._outputs:
            message = f"the network has no output {name!r}; it has {', '.join(sorted(self._outputs))}"
            raise ArtifactError(message)
        tensor = self._outputs[name]
        if tensor.dtype not in {"float32", "float16"}:
            message = f"output {name!r} is {tensor.dtype}, expected a float: ONNX keeps no scale for outputs"
            raise ArtifactError(message)
        return tensor


class OnnxBackend(NetworkBackend):
    """An ONNX network that takes the picture and has all the outputs."""

    def __init__(self, model: bytes, spec: InputSpec, outputs: Sequence[str], threads: int) -> None:
        """Load the network; arguments and errors as `OnnxNetwork` and `NetworkBackend`."""
        super().__init__(OnnxNetwork(model, threads), spec, outputs)


def _tensor(argument: Any) -> Tensor:  # noqa: ANN401 - onnxruntime ships no types
    # A side of unknown size is a word there; such a shape fits no manifest.
    shape = tuple(side if isinstance(side, int) else -1 for side in argument.shape)
    return Tensor(shape, _DTYPES.get(argument.type, argument.type))


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
