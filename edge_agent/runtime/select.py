"""The backend for a bundle, by its manifest and by what is installed."""

from __future__ import annotations

import logging

from edge_agent.errors import BackendError
from edge_agent.runtime.backend import Backend, Network, NetworkBackend, SplitBackend, output_names
from edge_agent.runtime.bundle import Bundle
from edge_agent.runtime.litert import LITERT_MODULE, TFLITE_MODULE, LiteRtNetwork
from edge_agent.runtime.onnx import OnnxNetwork
from edge_agent.wire.attributes import AttributeStage
from edge_agent.wire.manifest import RuntimeName

_logger = logging.getLogger(__name__)

# Both interpreters load the same files; LiteRT is faster, tflite-runtime exists for more machines.
_TFLITE_MODULES: dict[RuntimeName, tuple[str, ...]] = {
    "litert": (LITERT_MODULE, TFLITE_MODULE),
    "tflite": (TFLITE_MODULE, LITERT_MODULE),
}


def open_backend(bundle: Bundle, threads: int = 1) -> Backend:
    """Load the bundle's network, or its trunk and heads, with the runtime that its manifest names.

    Args:
        bundle: An opened bundle.
        threads: Threads of one inference.

    Raises:
        BackendError: The runtime is not installed (the text names the extra to install), or it cannot load
            the network.
        ArtifactError: The network is not what the manifest promises.
    """
    manifest = bundle.manifest
    model = _open(bundle, manifest.model_file, threads)
    if manifest.trunk_map is None:
        return NetworkBackend(model, manifest.input, output_names(manifest.heads))
    heads = [(_open(bundle, head.model_file or "", threads), head.outputs) for head in manifest.heads]
    return SplitBackend(model, heads, manifest.input, manifest.trunk_map)


def open_trunk(bundle: Bundle, threads: int = 1) -> Network:
    """Load the trunk of a bundle in parts alone; errors as `open_backend`."""
    return _open(bundle, bundle.manifest.model_file, threads)


def open_embedding(bundle: Bundle, stage: AttributeStage, threads: int = 1) -> Backend:
    """Load the embedding network of a bundle's second stage; errors as `open_backend`."""
    return NetworkBackend(_open(bundle, stage.model_file, threads), stage.input, (stage.output,))


def _open(bundle: Bundle, model_file: str, threads: int) -> Network:
    runtime, model = bundle.manifest.runtime, bundle.read(model_file)
    if runtime == "onnx":
        try:
            return OnnxNetwork(model, threads)
        except ImportError as error:
            raise _missing(runtime) from error
    for module in _TFLITE_MODULES[runtime]:
        try:
            return LiteRtNetwork(model, threads, module)
        except ImportError:
            _logger.debug("%s is not installed", module)
    raise _missing(runtime)


def _missing(runtime: RuntimeName) -> BackendError:
    return BackendError(f"this bundle needs the runtime {runtime!r}: run pip install 'elfowl[{runtime}]'")
