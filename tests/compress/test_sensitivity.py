"""Which layers stay in float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.sensitivity import GROUPS, groups_of, relative_error, sensitive_layers

LAYERS = [f"layer {number}" for number in range(40)]


@given(st.integers(0, 200), st.integers(1, 20))
def test_groups_of_keep_all_layers_in_order(count: int, most: int) -> None:
    layers = [str(number) for number in range(count)]
    groups = groups_of(layers, most)
    assert [layer for group in groups for layer in group] == layers
    assert len(groups) == min(count, most)
    assert all(groups)


@pytest.mark.parametrize(
    ("guilty", "kept"),
    [
        ({13: 1.0}, ["layer 12"]),
        ({13: 1.0, 30: 0.5}, ["layer 12", "layer 28"]),
        ({}, []),
        ({13: 1.0, 30: 0.01}, ["layer 12"]),
    ],
)
def test_sensitive_layers_are_the_runs_that_hold_the_error(guilty: dict[int, float], kept: list[str]) -> None:
    def error_without(group: tuple[str, ...]) -> float:
        return sum(error for number, error in guilty.items() if LAYERS[number] not in group)

    found = sensitive_layers(groups_of(LAYERS, GROUPS), error_without)
    assert len(found) == 4 * len(kept)
    assert list(found[::4]) == kept


def test_relative_error_is_the_share_of_power() -> None:
    one = np.full((2, 2), 2.0, np.float32)
    assert relative_error([one, one], [one, one * np.float32(0.5)]) == pytest.approx(0.125)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_litert_with_sensitive_layers_in_float_is_nearer_to_float_and_still_takes_int8(
    tmp_path: Path,
) -> None:
    from compress.capture import INPUT_NAME, capture, decoder_outputs, normalised
    from compress.export_litert import LiteRtTools
    from compress.export_parts import Samples
    from compress.litert_layers import compared_outputs
    from tests.compress.tiny import TinyDetector, scene

    detector = TinyDetector()
    pixels = [scene(seed).rgb for seed in range(8)]
    program = tmp_path / "network.pt2"
    capture(detector, pixels[:1], program)
    samples = Samples(INPUT_NAME, lambda: (normalised(one)[None] for one in pixels))
    float_file = tmp_path / "float.tflite"
    LiteRtTools().convert(program, float_file, samples, list(decoder_outputs(detector.decoder)))
    inputs = [{INPUT_NAME: one} for one in samples.each()]
    expected = compared_outputs(float_file.read_bytes(), inputs)
    errors = []
    for sensitive in (False, True):
        tools, out = LiteRtTools(sensitive=sensitive), tmp_path / f"{sensitive}.tflite"
        tools.quantize(float_file, out, samples)
        assert tools.load(out).input.dtype == "int8"
        errors.append(relative_error(expected, compared_outputs(out.read_bytes(), inputs)))
    assert tools.float_layers > 0
    assert errors[1] < errors[0]
