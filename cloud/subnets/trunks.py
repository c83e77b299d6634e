"""Subnets as networks: in torch for compression, as an ONNX graph for extraction."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from safetensors.torch import load_file
from torch import nn

from cloud.subnets.adapters import efficientnet_lite, ssd_mobilenet_v2
from cloud.subnets.adapters.inverted_residual import InvertedResidualTrunk
from cloud.subnets.graph import network_of
from cloud.subnets.interpreter import GraphTrunk
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.onnx_trunk import onnx_trunk
from cloud.subnets.weights import weights_path


def load_trunk(subnet: SubnetManifest) -> nn.Module:
    """Return the subnet in eval mode, frozen, with its checked weights.

    Input `(n, 3, h, w) float32`, (byte - 127) / 128, RGB, whatever the subnet was trained with; h and w
    multiples of 32. Output: a tuple of the manifest's levels, NCHW.

    Raises:
        InputError: The weights are missing or not the known ones.
    """
    if subnet.adapter == "onnx":
        network = network_of(onnx.load_from_string(load_graph(subnet)))
        return GraphTrunk(network).eval().requires_grad_(requires_grad=False)
    return _inverted_residual(subnet).requires_grad_(requires_grad=False)


def load_graph(subnet: SubnetManifest) -> bytes:
    """Return the subnet as a serialised ONNX model, with the input and output of `load_trunk`.

    Its input is called `image`, its outputs `stride8`, `stride16` and `stride32`.

    Raises:
        InputError: The weights are missing or not the known ones.
    """
    if subnet.adapter == "onnx":
        return weights_path(subnet).read_bytes()
    return onnx_trunk(_inverted_residual(subnet))


def _inverted_residual(subnet: SubnetManifest) -> InvertedResidualTrunk:
    path = weights_path(subnet)
    if subnet.adapter == "ssd_mobilenet_v2":
        return ssd_mobilenet_v2.trunk_from(load_file(path))
    return efficientnet_lite.trunk_from(_state_dict(path))


def _state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read a published state dict; its digest is known, and nothing but tensors is unpickled."""
    weights: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights
