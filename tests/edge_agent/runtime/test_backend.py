"""Bytes in, real numbers out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ArtifactError, BackendError
from edge_agent.runtime.backend import check_input, dequantized, network_input, output_names
from edge_agent.wire.detection import DetectorRef
from edge_agent.wire.manifest import AnchorFreeDecoder, AnchorFreeLevel, Head, InputSpec, LabelSpec

SPECS = {
    dtype: InputSpec.model_validate({"name": "image", "width_px": 16, "height_px": 16, "dtype": dtype})
    for dtype in ("int8", "uint8", "float32")
}
ALL_BYTES = np.stack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 3, axis=-1)[None]


def test_int8_input_is_byte_minus_128() -> None:
    found = network_input(ALL_BYTES, SPECS["int8"])
    assert found.dtype == np.int8
    assert np.array_equal(found, ALL_BYTES.astype(np.int16) - 128)


def test_uint8_input_is_the_bytes() -> None:
    assert np.array_equal(network_input(ALL_BYTES, SPECS["uint8"]), ALL_BYTES)


def test_float_and_int8_inputs_mean_the_same() -> None:
    real = network_input(ALL_BYTES, SPECS["float32"])
    assert real.dtype == np.float32
    from_int8 = dequantized(network_input(ALL_BYTES, SPECS["int8"]), 1 / 128, -1)
    np.testing.assert_allclose(np.asarray(real, np.float32), from_int8, atol=1e-6)


@pytest.mark.parametrize(
    "pixels",
    [ALL_BYTES[0], ALL_BYTES[:, :8], ALL_BYTES.astype(np.float32), np.repeat(ALL_BYTES, 2, axis=0)],
)
def test_picture_of_another_size_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(BackendError, match="the network takes"):
        network_input(pixels, SPECS["int8"])


@given(st.integers(-128, 127), st.floats(2**-14, 16.0, width=16), st.integers(-128, 127))
def test_dequantize_follows_the_formula(value: int, scale: float, zero_point: int) -> None:
    found = dequantized(np.array([value], np.int8), scale, zero_point)
    assert found.dtype == np.float32
    assert float(found[0]) == pytest.approx((value - zero_point) * scale, rel=1e-5, abs=1e-6)


def test_float_output_passes() -> None:
    assert dequantized(np.array([1.5], np.float32), 0.0, 0).tolist() == [1.5]


@pytest.mark.parametrize(("shape", "dtype"), [((1, 3, 16, 16), "int8"), ((1, 16, 16, 3), "float32")])
def test_network_with_another_input_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ArtifactError, match="manifest promises"):
        check_input(shape, dtype, SPECS["int8"])


def test_output_names_are_each_named_once() -> None:
    decoder = AnchorFreeDecoder(
        levels=tuple(
            AnchorFreeLevel(stride_px=8 * (i + 1), scores_output=f"s{i}", boxes_output=f"b{i}")
            for i in range(2)
        )
    )
    head = Head(
        detector=DetectorRef(id="a", name="a", version=1),
        labels=(LabelSpec(name="x", slug="x", threshold=0.5),),
        decoder=decoder,
    )
    assert output_names([head, head]) == ("s0", "b0", "s1", "b1")
