"""Crops into numbers: a subnet's coarse levels, averaged over the crop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from cloud.attributes.crops import square_crop
from cloud.subnets.features import FeatureExtractor
from cloud.subnets.manifest import SubnetManifest
from cloud.subnets.trunks import load_trunk
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.base import XyxyNorm

LEVELS_FROM = 1
"""Levels used, from this index on: at the finest one, parts of things are seen rather than things."""

_BATCH = 16


def embed_crops(extractor: FeatureExtractor, crops: Iterable[tuple[Rgb, XyxyNorm]]) -> Float32:
    """Return the embeddings of boxes in pictures.

    Args:
        extractor: Of the subnet.
        crops: Pictures `(h, w, 3) uint8` with the box in each.

    Returns:
        `(n, channels of the levels used) float32`.
    """
    return embed_pixels(extractor, [square_crop(rgb, box) for rgb, box in crops])


def embed_pixels(extractor: FeatureExtractor, pixels: Sequence[Rgb]) -> Float32:
    """Return the embeddings `(n, channels) float32` of pictures of one size, multiples of 32."""
    channels = sum(level.channels for level in extractor.subnet.levels[LEVELS_FROM:])
    parts = [
        _averaged(extractor, np.stack(pixels[start : start + _BATCH]))
        for start in range(0, len(pixels), _BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, channels), np.float32)


def _averaged(extractor: FeatureExtractor, pixels: Rgb) -> Float32:
    levels = extractor.features(pixels)[LEVELS_FROM:]
    return np.concatenate([level.mean(axis=(1, 2)) for level in levels], axis=1)


class EmbeddingNetwork(nn.Module):
    """The same as one network, for export.

    Input `(n, h, w, 3) float32`, (byte - 127) / 128, RGB. Output `(n, channels)`.
    """

    def __init__(self, subnet: SubnetManifest) -> None:
        super().__init__()
        self.trunk = load_trunk(subnet)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return embeddings."""
        levels = self.trunk(image.permute(0, 3, 1, 2))[LEVELS_FROM:]
        return torch.cat([level.mean((2, 3)) for level in levels], dim=1)
