"""The backend for a bundle, by its manifest and by what is installed."""

from __future__ import annotations

import logging

from edge_agent.errors import BackendError
from edge_agent.runtime.backend import Backend, output_names
from edge_agent.runtime.bundle import Bundle
from edge_agent.runtime.litert import LITERT_MODULE, TFLITE_MODULE, LiteRtBackend
from edge_agent.runtime.onnx import OnnxBackend
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
    model = bundle.read(manifest.model_file)
    outputs = output_names(manifest.heads)
    if manifest.runtime == "onnx":
        try:
            return OnnxBackend(model, manifest.input, outputs, threads)
        except ImportError as error:
            raise _missing(manifest.runtime) from error
    for module in _TFLITE_MODULES[manifest.runtime]:
        try:
            return LiteRtBackend(model, manifest.input, outputs, threads, module)
        except ImportError:
            _logger.debug("%s is not installed", module)
    raise _missing(manifest.runtime)


def _missing(runtime: RuntimeName) -> BackendError:
    return BackendError(f"this bundle needs the runtime {runtime!r}: run pip install 'elfowl[{runtime}]'")
