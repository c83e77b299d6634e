"""The backend for a bundle, by its manifest and by what is installed."""

from __future__ import annotations

import logging

from edge_agent.errors import BackendError
from edge_agent.runtime.backend import Backend, output_names
from edge_agent.runtime.bundle import Bundle
from edge_agent.runtime.litert import LITERT_MODULE, TFLITE_MODULE, LiteRtBackend
from edge_agent.runtime.onnx import OnnxBackend
from edge_agent.wire.attributes import AttributeStage
from edge_agent.wire.inputs import InputSpec
from edge_agent.wire.manifest import RuntimeName

_logger = logging.getLogger(__name__)

# Both interpreters load the same files; LiteRT is faster, tflite-runtime exists for more machines.
_TFLITE_MODULES: dict[RuntimeName, tuple[str, ...]] = {
    "litert": (LITERT_MODULE, TFLITE_MODULE),
    "tflite": (TFLITE_MODULE, LITERT_MODULE),
}


def open_backend(bundle: Bundle, threads: int = 1) -> Backend:
    """Load the bundle's network with the runtime that its manifest names.

    Args:
        bundle: An opened bundle.
        threads: Threads of one inference.

    Raises:
        BackendError: The runtime is not installed (the text names the extra to install), or it cannot load
            the network.
        ArtifactError: The network is not what the manifest promises.
    """
    manifest = bundle.manifest
    return _open(bundle, manifest.model_file, manifest.input, output_names(manifest.heads), threads)


def open_embedding(bundle: Bundle, stage: AttributeStage, threads: int = 1) -> Backend:
    """Load the embedding network of a bundle's second stage; errors as `open_backend`."""
    return _open(bundle, stage.model_file, stage.input, (stage.output,), threads)


def _open(
    bundle: Bundle, model_file: str, spec: InputSpec, outputs: tuple[str, ...], threads: int
) -> Backend:
    runtime, model = bundle.manifest.runtime, bundle.read(model_file)
    if runtime == "onnx":
        try:
            return OnnxBackend(model, spec, outputs, threads)
        except ImportError as error:
            raise _missing(runtime) from error
    for module in _TFLITE_MODULES[runtime]:
        try:
            return LiteRtBackend(model, spec, outputs, threads, module)
        except ImportError:
            _logger.debug("%s is not installed", module)
    raise _missing(runtime)


def _missing(runtime: RuntimeName) -> BackendError:
    return BackendError(f"this bundle needs the runtime {runtime!r}: run pip install 'elfowl[{runtime}]'")
