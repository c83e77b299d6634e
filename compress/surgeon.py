"""Which channels are missed least once the others have taken over what they did.

The optimal brain surgeon (Hassibi & Stork 1993), for whole channels: of two that say the same one can go,
however much each matters alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from compress.imprint import Imprint, LayerImprint
from compress.prune import ChannelGroup

_RIDGE = 1e-3


def importance(
    network: nn.Module, imprint: Imprint, groups: Iterable[ChannelGroup]
) -> dict[str, torch.Tensor]:
    """Return, by group, what each channel's absence costs when the least missed go first, one by one.

    The cost is the change of what the network says, as its imprint weighs it, after the layers that read the
    channel were fitted to the rest. It grows from channel to channel in the order in which they go.

    Args:
        network: In eval mode.
        imprint: Of it.
        groups: Of it, with layers that read them.
    """
    return {
        group.name: _costs(
            [
                _Reader(network.get_submodule(name), imprint[name], channels)
                for name, channels in group.readers.items()
            ],
            group.channels,
        )
        for group in groups
    }


class _Reader:
    """A layer that reads a group's channels, with what has gone made up for."""

    def __init__(self, layer: nn.Module, imprint: LayerImprint, channels: Sequence[int]) -> None:
        """Take a convolution and which of its inputs the group's channels are."""
        weight = layer.get_parameter("weight").detach()
        cells = weight[0, 0].numel()
        self._weights = weight.flatten(1).double() * imprint.weights.double().sqrt()[:, None]
        level = imprint.spread.diagonal().mean().clamp(min=1e-12)
        self._inverse = torch.linalg.inv(
            imprint.spread + _RIDGE * level * torch.eye(len(imprint.spread), dtype=torch.float64)
        )
        self._columns = torch.tensor(channels)[:, None] * cells + torch.arange(cells)

    def losses(self, left: Sequence[int]) -> torch.Tensor:
        """Return what it would cost to lose each of some channels next."""
        columns = self._columns[list(left)]
        own = self._weights[:, columns].permute(1, 2, 0)
        blocks = self._inverse[columns[:, :, None], columns[:, None, :]]
        rest: torch.Tensor = own / blocks if columns.shape[1] == 1 else torch.linalg.solve(blocks, own)
        return (own * rest).sum(dim=(1, 2))

    def lose(self, channel: int) -> None:
        """Let the other inputs take over from one channel."""
        columns = self._columns[channel]
        rest = torch.linalg.solve(self._inverse[columns][:, columns], self._inverse[columns])
        self._weights -= self._weights[:, columns] @ rest
        self._inverse -= self._inverse[:, columns] @ rest


def _costs(readers: Sequence[_Reader], channels: int) -> torch.Tensor:
    left, costs, highest = list(range(channels)), torch.zeros(channels), 0.0
    while left:
        losses = torch.stack([reader.losses(left) for reader in readers]).sum(dim=0)
        least = int(losses.argmin())
        # Never less than the one before: the order in which they go is that of the costs.
        highest = max(highest, float(losses[least]))
        channel = left.pop(least)
        costs[channel] = highest
        for reader in readers:
            reader.lose(channel)
    return costs
