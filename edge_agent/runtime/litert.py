"""TFLite networks, run by LiteRT or by its predecessor tflite-runtime."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.backend import NetworkBackend, Raw, Tensor
from edge_agent.runtime.chatter import without_greeting
from edge_agent.runtime.network_file import on_disk
from edge_agent.wire.manifest import InputSpec

LITERT_MODULE = "ai_edge_litert.interpreter"
TFLITE_MODULE = "tflite_runtime.interpreter"


class LiteRtNetwork:
    """A TFLite network; outputs are found by the name of the signature's output, or of the tensor."""

    def __init__(self, model: bytes, threads: int, module: str) -> None:
        """Load the network.

        Args:
            model: The .tflite file's bytes.
            threads: Threads of one inference.
            module: `LITERT_MODULE` or `TFLITE_MODULE`.

        Raises:
            ImportError: The runtime's package is not installed.
            BackendError: The runtime cannot load the network.
            ArtifactError: It has not exactly one input.
        """
        interpreter_type = importlib.import_module(module).Interpreter
        try:
            with without_greeting(), on_disk(model) as file:
                source = {"model_path": file.path} if file else {"model_content": model}
                self._interpreter: Any = interpreter_type(**source, num_threads=threads)
                self._interpreter.allocate_tensors()
                if file:
                    # The first run is the last one that looks into the file.
                    self._interpreter.invoke()
        except (ValueError, RuntimeError, TypeError) as error:
            message = f"{module.split('.', maxsplit=1)[0]} cannot load the network: {_one_line(error)}"
            raise BackendError(message) from error
        details = self._interpreter.get_input_details()
        if len(details) != 1:
            message = f"the network has {len(details)} inputs, expected one"
            raise ArtifactError(message)
        self._input_index: int = details[0]["index"]
        self.input = _tensor(details[0])
        self._output_details = self._all_outputs()
        if file:
            file.leave()

    def outputs(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Return what the network answers under these names; see `Network.outputs`."""
        return {name: self._output(name) for name in names}

    def run(self, values: Raw, names: Sequence[str]) -> dict[str, Raw]:
        """Run the network; see `Network.run`."""
        if self._interpreter is None:
            message = "the network is closed"
            raise BackendError(message)
        try:
            self._interpreter.set_tensor(self._input_index, values)
            self._interpreter.invoke()
            return {name: self._interpreter.get_tensor(self._output_details[name]["index"]) for name in names}
        except (ValueError, RuntimeError) as error:
            message = f"the network failed: {_one_line(error)}"
            raise BackendError(message) from error

    def close(self) -> None:
        """Free the interpreter."""
        self._interpreter = None

    def _all_outputs(self) -> dict[str, Mapping[str, Any]]:
        by_name = {detail["name"]: detail for detail in self._interpreter.get_output_details()}
        for signature in self._interpreter.get_signature_list():
            by_name |= self._interpreter.get_signature_runner(signature).get_output_details()
        return by_name

    def _output(self, name: str) -> Tensor:
        if name not in self._output_details:
            message = f"the network has no output {name!r}; it has {', '.join(sorted(self._output_details))}"
            raise ArtifactError(message)
        detail = self._output_details[name]
        if len(detail["quantization_parameters"]["scales"]) > 1:
            message = f"output {name!r} is quantized per channel, which is not supported"
            raise ArtifactError(message)
        return _tensor(detail)


class LiteRtBackend(NetworkBackend):
    """A TFLite network that takes the picture and has all the outputs."""

    def __init__(
        self, model: bytes, spec: InputSpec, outputs: Sequence[str], threads: int, module: str
    ) -> None:
        """Load the network; arguments and errors as `LiteRtNetwork` and `NetworkBackend`."""
        super().__init__(LiteRtNetwork(model, threads, module), spec, outputs)


def _tensor(detail: Mapping[str, Any]) -> Tensor:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(side) for side in detail["shape"])
    return Tensor(shape, np.dtype(detail["dtype"]).name, float(scale), int(zero_point))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
