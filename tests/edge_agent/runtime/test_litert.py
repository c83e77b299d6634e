"""LiteRT, on the starter's network."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.bundle import Bundle, open_bundle
from edge_agent.runtime.litert import LITERT_MODULE, LiteRtBackend
from edge_agent.runtime.select import open_backend
from edge_agent.starter.location import starter_bundle_path
from edge_agent.wire.manifest import InputSpec


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(starter_bundle_path())


def load(
    bundle: Bundle, outputs: tuple[str, ...] = ("output_0",), changes: dict[str, object] | None = None
) -> LiteRtBackend:
    spec = InputSpec.model_validate(bundle.manifest.input.model_dump() | (changes or {}))
    return LiteRtBackend(bundle.read("model.tflite"), spec, outputs, 1, LITERT_MODULE)


def test_outputs_come_by_name_dequantized(bundle: Bundle) -> None:
    backend = open_backend(bundle)
    spec = bundle.manifest.input
    pixels = np.random.default_rng(1).integers(0, 256, (1, spec.height_px, spec.width_px, 3), np.uint8)
    outputs = backend.infer(pixels)
    assert {name: array.shape for name, array in outputs.items()} == {
        "output_0": (1, 2178, 4),
        "output_1": (1, 2178, 13),
    }
    assert all(array.dtype == np.float32 for array in outputs.values())
    # Logits of an untrained eye for noise: nothing is likely, and not everything is the same.
    assert outputs["output_1"].max() < 0
    assert len(np.unique(outputs["output_1"])) > 20
    assert np.array_equal(backend.infer(pixels)["output_1"], outputs["output_1"])


def test_tensor_names_are_understood_too(bundle: Bundle) -> None:
    backend = load(bundle, ("serving_default_output_1_output", "output_1"))
    first, second = backend.infer(np.zeros((1, 288, 384, 3), np.uint8)).values()
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width_px": 320}, "manifest promises"),
        ({"dtype": "float32"}, "manifest promises"),
        ({"mean": 0.0}, "would be misread"),
        ({"std": 255.0}, "would be misread"),
    ],
)
def test_manifest_that_does_not_fit_the_network_is_refused(
    bundle: Bundle, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ArtifactError, match=words):
        load(bundle, changes=changes)


def test_unknown_output_is_refused_and_names_those_there(bundle: Bundle) -> None:
    with pytest.raises(ArtifactError, match=r"no output 'scores'.*output_1"):
        load(bundle, ("scores",))


def test_closed_or_wrongly_fed_network_raises(bundle: Bundle) -> None:
    backend = load(bundle)
    with pytest.raises(BackendError, match="takes"):
        backend.infer(np.zeros((1, 32, 32, 3), np.uint8))
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.infer(np.zeros((1, 288, 384, 3), np.uint8))


def test_missing_runtime_is_an_import_error(bundle: Bundle) -> None:
    spec = bundle.manifest.input
    with pytest.raises(ImportError):
        LiteRtBackend(bundle.read("model.tflite"), spec, ("output_0",), 1, "no_such_runtime.interpreter")
