"""Presence: is it somewhere in the picture? A head without places, taught by whole-frame tags.

For every runtime it is a detector with one cell as large as the input, whose box is the whole picture; so
bundles, cameras and events need to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

LEVELS_PER_SUBNET = 3


class PresenceHead(nn.Module):
    """Coarse levels, averaged and at their strongest, into one logit a class.

    Input: features of each subnet at strides 8, 16, 32, `(n, channels, h, w) float32`; the finest are not
    used. Output: logits `(n, classes, 1, 1)` and distances `(n, 4, 1, 1)`, all one half: the whole input.
    """

    def __init__(self, level_channels: Sequence[int], classes: int) -> None:
        super().__init__()
        channels = sum(count for index, count in enumerate(level_channels) if is_coarse(index))
        self.scores = nn.Conv2d(2 * channels, classes, 1)
        self.boxes = nn.Conv2d(2 * channels, 4, 1)
        nn.init.zeros_(self.boxes.weight)
        # Always one half of the input to each side of its middle.
        nn.init.constant_(self.boxes.bias, 0.5)  # type: ignore[arg-type]

    def forward(self, features: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits and distances, NCHW."""
        pooled = pool(features)
        return self.scores(pooled), functional.relu(self.boxes(pooled))


def is_coarse(index: int) -> bool:
    """Tell whether the level at this index, over all subnets, is used."""
    return index % LEVELS_PER_SUBNET != 0


def pool(features: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return `(n, channels, 1, 1)`: means of all coarse levels, then their maxima."""
    coarse = [level for index, level in enumerate(features) if is_coarse(index)]
    means = [functional.avg_pool2d(level, _size(level)) for level in coarse]
    maxima = [functional.max_pool2d(level, _size(level)) for level in coarse]
    return torch.cat([*means, *maxima], dim=1)


def _size(level: torch.Tensor) -> tuple[int, int]:
    return level.shape[2], level.shape[3]
