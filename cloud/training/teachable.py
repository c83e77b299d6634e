"""A head while it learns: its adapters take projected features, and each has a gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from cloud.detector.head import AnchorFreeHead
from cloud.detector.spec import Block

_GATE_PACE = 5.0
"""A gate moves as many times faster than a weight; there are few steps."""

_CLOSED = 0.05


class TeachableHead(AnchorFreeHead):
    """As `AnchorFreeHead`, but only the gate of an adapter says how much it gives.

    The weights of each adapter are held at one norm, or they would make up for what its gate takes. A gate
    that falls to 0 stays there.
    """

    def __init__(self, level_channels: Sequence[int], classes: int, width: int, block: Block) -> None:
        super().__init__(level_channels, classes, width, block)
        self.gates = nn.Parameter(torch.full((len(level_channels),), 1 / _GATE_PACE))
        self._norm = math.sqrt(2.0 * width)
        """Of a 1x1 convolution as `start_from` initialises it."""

    def open_gates(self) -> torch.Tensor:
        """Return how much each level gives, `(levels,)`, not negative."""
        return functional.relu(self.gates * _GATE_PACE)

    def adapt(self, index: int, features: torch.Tensor) -> torch.Tensor:
        """Return one level in the head's own width, as much of it as its gate lets through."""
        return functional.conv2d(features, self._gated(index))

    def _gated(self, index: int) -> torch.Tensor:
        weight = cast("nn.Conv2d", self.adapters[index]).weight
        gated: torch.Tensor = weight * (
            self.open_gates()[index] * self._norm / torch.linalg.vector_norm(weight)
        )
        return gated

    def gate_values(self) -> tuple[float, ...]:
        """Return the gates, 0 where as good as closed."""
        values: list[float] = self.open_gates().tolist()
        return tuple(round(value, 3) if value >= _CLOSED else 0.0 for value in values)

    @torch.no_grad()
    def folded(self, bases: Sequence[torch.Tensor], block: Block) -> AnchorFreeHead:
        """Return a plain head in eval mode that takes the trunk's own channels."""
        head = AnchorFreeHead(
            [basis.shape[1] for basis in bases], self.scores.out_channels, self.scores.in_channels, block
        )
        own = {name: value for name, value in self.state_dict().items() if name != "gates"}
        for index, (basis, gate) in enumerate(zip(bases, self.gate_values(), strict=True)):
            # What is all but closed gives exactly nothing, as is reported.
            whole = self._gated(index)[:, :, 0, 0] @ basis * (gate > 0)
            own[f"adapters.{index}.weight"] = whole[:, :, None, None]
        head.load_state_dict(own)
        return head.requires_grad_(requires_grad=False).eval()
