"""Subnets as torch networks."""

from __future__ import annotations

import torch
from torch import nn

from cloud.subnets.adapters.efficientnet_lite import trunk_from
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.weights import weights_path


def load_trunk(subnet: SubnetManifest) -> nn.Module:
    """Return the subnet in eval mode, frozen, with its checked weights.

    Input `(n, 3, h, w) float32`, (byte - 127) / 128, RGB, whatever the subnet was trained with; h and w
    multiples of 32. Output: a tuple of the manifest's levels, NCHW.

    Raises:
        InputError: The weights are missing or not the known ones.
    """
    published: dict[str, torch.Tensor] = torch.load(
        weights_path(subnet), map_location="cpu", weights_only=True
    )
    return trunk_from(published).requires_grad_(requires_grad=False)
