"""A network in two parts: written, quantized and run, it answers as the same network in one piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress import export_litert, export_onnx
from compress.bundle import BundleSpec, write_bundle
from compress.capture import capture
from compress.forms import LITERT_INT8, ONNX_INT8, Form
from compress.parts import head_files, model_bytes, read_map
from compress.protocol import Rgb, TwoPartNetwork
from edge_agent.runtime.bundle import open_bundle
from edge_agent.runtime.profiles import load_profile
from edge_agent.runtime.select import open_backend
from tests.compress.tiny import TinyDetector, TinyNetwork, fitted_network, scene

PIXELS = np.stack([scene(seed).rgb for seed in range(3000, 3012)])
EXPORTERS = {LITERT_INT8: (export_litert, "tflite"), ONNX_INT8: (export_onnx, "onnx")}


class _Body(nn.Module):
    def __init__(self, network: TinyNetwork) -> None:
        super().__init__()
        self.stem, self.same, self.deep = network.stem, network.same, network.deep

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first = self.stem(image)
        second = first + self.same(first)
        third = nn.functional.interpolate(self.deep(second), scale_factor=2.0, mode="nearest")
        return torch.cat([first, second, third], dim=1)


class _Head(nn.Module):
    def __init__(self, network: TinyNetwork) -> None:
        super().__init__()
        self.scores, self.boxes = network.scores, network.boxes

    def forward(self, mixed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        boxes = torch.relu(self.boxes(mixed))
        return self.scores(mixed).permute(0, 2, 3, 1), boxes.permute(0, 2, 3, 1)


class TwoPartDetector(TinyDetector):
    """The same detector, its network in two parts."""

    def network(self) -> nn.Module:
        network = fitted_network()
        return TwoPartNetwork(_Body(network), [_Head(network)]).eval()


def export(detector: TinyDetector, form: Form, folder: Path) -> Path:
    """Write a detector's bundle in this form, without the processes; return its folder."""
    folder.mkdir()
    exporter, suffix = EXPORTERS[form]
    captured = capture(detector, PIXELS[:1], folder / "network.pt2")
    np.save(folder / "pixels.npy", PIXELS)
    model = folder / f"int8.{suffix}"
    job = {
        "program": str(captured.program_file),
        "pixels": str(folder / "pixels.npy"),
        "outputs": list(captured.output_names),
        "float_out": str(folder / f"float.{suffix}"),
        "int8_out": str(model),
    }
    exporter.export(job, lambda _: None)
    spec = BundleSpec(detector, form, load_profile("pi-4"), 1, 1_800_000_000.0)
    write_bundle(folder / "bundle", spec, model)
    return folder / "bundle"


def answer(bundle: Path, pixels: Rgb) -> dict[str, np.ndarray]:
    return dict(open_backend(open_bundle(bundle)).infer(pixels[None]))


@pytest.mark.slow
@pytest.mark.parametrize("form", [LITERT_INT8, ONNX_INT8], ids=lambda form: form.name)
def test_network_in_two_parts_answers_as_in_one_within_an_int8_step(form: Form, tmp_path: Path) -> None:
    whole = export(TinyDetector(), form, tmp_path / "whole")
    split = export(TwoPartDetector(), form, tmp_path / "split")
    manifest = open_bundle(split).manifest
    assert manifest.trunk_map is not None
    assert manifest.trunk_map.scale > 0
    assert manifest.heads[0].model_file is not None
    assert open_bundle(whole).manifest.trunk_map is None
    for picture in PIXELS:
        one, other = answer(whole, picture), answer(split, picture)
        assert one.keys() == other.keys()
        for name, values in one.items():
            step = np.ptp(values) / 255 + 1e-3
            assert float(np.abs(values - other[name]).max()) < 4 * step, name


def test_model_in_one_piece_has_no_heads_and_no_map(tmp_path: Path) -> None:
    model = tmp_path / "int8.onnx"
    model.write_bytes(b"12345")
    assert head_files(model) == ()
    assert read_map(model) is None
    assert model_bytes(model) == 5
