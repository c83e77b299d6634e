"""The captured network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.capture import capture, normalised, without_batch_norm
from compress.errors import ExportError
from tests.compress.tiny import TinyDetector, fitted_network


class _Branching(nn.Module):
    """Looks at its numbers, so that it cannot be traced."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image if bool(image.sum() > 0) else -image


def test_without_batch_norm_answers_as_before() -> None:
    network = fitted_network()
    folded = without_batch_norm(network)
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        for before, after in zip(network(image), folded(image), strict=True):
            assert torch.allclose(before, after, atol=1e-4)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]


def test_without_batch_norm_turns_one_that_stands_alone_into_a_convolution() -> None:
    norm = nn.BatchNorm2d(4)
    norm(torch.rand(8, 4, 6, 6) * 5)
    network = nn.Sequential(nn.ReLU(), norm, nn.ReLU()).eval()
    folded = without_batch_norm(network)
    image = torch.rand(1, 4, 6, 6)
    with torch.no_grad():
        assert torch.allclose(network(image), folded(image), atol=1e-6)
    assert [type(module) for module in folded.children()] == [nn.ReLU, nn.Conv2d, nn.ReLU]


def test_without_batch_norm_of_a_network_that_cannot_be_traced_leaves_it() -> None:
    network = _Branching()
    assert without_batch_norm(network) is network


def test_normalised_is_what_the_camera_does() -> None:
    pixels = np.array([[[0, 127, 255]]], np.uint8)
    assert normalised(pixels).tolist() == [[[-127 / 128, 0.0, 1.0]]]


def test_capture_of_a_network_with_too_few_outputs_says_so(tmp_path: Path) -> None:
    class OneOutput(TinyDetector):
        def network(self) -> nn.Module:
            return nn.Sequential(nn.Conv2d(3, 4, 8, 8))

    detector = OneOutput()
    pictures = [picture.rgb() for picture in detector.held_out_pictures()[:1]]
    with pytest.raises(ExportError, match="decoder names 2"):
        capture(detector, pictures, tmp_path / "network.pt2")
