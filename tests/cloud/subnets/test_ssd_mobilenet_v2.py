"""The SSD trunk answers what the network that it was taken from answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from cloud.subnets.adapters.inverted_residual import InvertedResidualTrunk
from cloud.subnets.adapters.ssd_mobilenet_v2 import plan_of, trunk_from
from cloud.subnets.registry import subnet_by_name
from cloud.subnets.weights import weights_path

# Written by `cloud.subnets.ssd_weights`: a picture, and what the original TFLite operators answered for it.
SAMPLES = Path(__file__).parent / "ssd_samples.npz"


def differences(trunk: torch.nn.Module, image: torch.Tensor) -> list[float]:
    with np.load(SAMPLES) as samples, torch.inference_mode():
        levels = [level.permute(0, 2, 3, 1).flatten().numpy() for level in trunk(image)]
        return [
            float(np.abs(level[samples[f"at{index}"]] - samples[f"values{index}"]).max())
            for index, level in enumerate(levels)
        ]


def picture() -> torch.Tensor:
    with np.load(SAMPLES) as samples:
        return torch.from_numpy(samples["picture"]).permute(0, 3, 1, 2).float()


def test_trunk_with_the_original_preprocessing_equals_the_original_network() -> None:
    weights = load_file(weights_path(subnet_by_name("ssd_mobilenet_v2")))
    trunk = InvertedResidualTrunk(plan_of(weights)).eval()
    trunk.load_state_dict({name: value.float() for name, value in weights.items()})
    assert max(differences(trunk, (picture() - 127.5) / 127.5)) < 1e-4


def test_trunk_with_our_preprocessing_differs_by_the_border_alone() -> None:
    weights = load_file(weights_path(subnet_by_name("ssd_mobilenet_v2")))
    assert max(differences(trunk_from(weights), (picture() - 127) / 128)) < 0.02


def test_channels_left_out_answered_the_same_everywhere() -> None:
    with np.load(SAMPLES) as samples:
        assert [float(samples[f"gone{index}"]) for index in range(3)] == [0.0, 0.0, 0.0]
