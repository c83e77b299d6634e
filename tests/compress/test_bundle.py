"""Bundles written from a detector's own words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.bundle import BundleSpec, bundle_name, make_manifest, write_bundle
from compress.forms import LITERT_INT8, ONNX_INT8, Form
from edge_agent.runtime.bundle import open_bundle, write_bundle_zip
from edge_agent.wire.detection import Detection
from tests.compress.test_choose import profile
from tests.compress.tiny import HEIGHT_PX, WIDTH_PX, TinyDetector, scene


def spec(form: Form = LITERT_INT8, **more: object) -> BundleSpec:
    return BundleSpec(TinyDetector(), form, profile("litert"), 3, 1_800_000_000.0, **more)  # type: ignore[arg-type]


def written(folder: Path) -> Path:
    model = folder / "net.tflite"
    model.write_bytes(b"network")
    picture = scene(3).rgb
    golden = (Detection(label="red_square", score=0.9, box=(0.1, 0.1, 0.4, 0.5)),)
    write_bundle(folder / "bundle", spec(golden=(golden,)), model, [picture])
    return folder / "bundle"


def test_write_bundle_makes_what_the_agent_opens(tmp_path: Path) -> None:
    bundle = open_bundle(written(tmp_path))
    assert bundle.manifest.heads[0].labels[0].slug == "red_square"
    assert bundle.read(bundle.manifest.model_file) == b"network"
    assert bundle.read("licenses/random-features.txt") == b"Do as you like."


def test_write_bundle_keeps_golden_pixels_exactly(tmp_path: Path) -> None:
    import cv2

    bundle = open_bundle(written(tmp_path))
    png = np.frombuffer(bundle.read(bundle.manifest.golden[0].image_file), np.uint8)
    decoded = cv2.imdecode(png, cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.array_equal(decoded[..., ::-1], scene(3).rgb)


def test_write_bundle_twice_gives_the_same_zip(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        digests.append(write_bundle_zip(written(folder), folder / "bundle.zip"))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(("form", "dtype"), [(LITERT_INT8, "int8"), (ONNX_INT8, "float32")])
def test_make_manifest_states_the_input_of_the_form(form: Form, dtype: str) -> None:
    manifest = make_manifest(spec(form), {form.model_file: "0" * 64})
    assert (manifest.input.width_px, manifest.input.height_px) == (WIDTH_PX, HEIGHT_PX)
    assert manifest.input.dtype == dtype
    assert manifest.heads[0].detector.precision == "int8"


def test_make_manifest_takes_tuned_thresholds() -> None:
    manifest = make_manifest(spec(thresholds={"red_square": 0.41}), {"model.tflite": "0" * 64})
    assert manifest.heads[0].labels[0].threshold == 0.41


@pytest.mark.slow
@given(st.text(min_size=1, max_size=80), st.integers(1, 999))
def test_bundle_name_of_any_detector_is_a_valid_name(detector: str, version: int) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", bundle_name(detector, version, "pi-4", "litert_int8"))


def test_bundle_name_of_detectors_that_differ_late_stays_apart() -> None:
    names = {bundle_name("a" * 60 + end, 1, "pi-4", "litert_int8") for end in ("b", "c")}
    assert len(names) == 2
