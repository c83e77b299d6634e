"""Thinner copies of a network: the channels go that are missed least, and the rest takes over from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from compress.imprint import Imprint, take_imprint
from compress.mend import mended_channels
from compress.prune import ChannelGroup, choose_channels, prunable_groups, pruned
from compress.surgeon import importance

PICTURES = 12
"""On which layers are compared and fitted; all at once, so that more take more memory."""


@dataclass(frozen=True)
class Thinning:
    """One network at one input size, looked at once for all copies of it.

    Attributes:
        network: In eval mode, batch norms folded in.
        input_size_px: (width, height).
        groups: Of which channels may go.
        imprint: What its layers answer to the pictures.
        worth: What each channel's absence costs, by group.
        pictures: Each `(1, 3, h, w) float32`.
    """

    network: nn.Module
    input_size_px: tuple[int, int]
    groups: tuple[ChannelGroup, ...]
    imprint: Imprint
    worth: Mapping[str, torch.Tensor]
    pictures: Sequence[torch.Tensor]

    @classmethod
    def of(
        cls,
        network: nn.Module,
        input_size_px: tuple[int, int],
        pictures: Sequence[torch.Tensor],
        check: Callable[[], None] = lambda: None,
    ) -> Thinning:
        """Look at a network; channels may go that one layer makes and only dense convolutions read.

        Args:
            network: In eval mode, batch norms folded in.
            input_size_px: (width, height).
            pictures: Each `(1, 3, h, w) float32`.
            check: Called now and then; may raise to stop.
        """
        imprint = take_imprint(network, pictures, check)
        groups = tuple(
            group
            for group in prunable_groups(network, input_size_px)
            if group.inner and group.readers and group.readers.keys() <= imprint.keys()
        )
        worth = importance(network, imprint, groups)
        return cls(network, input_size_px, groups, imprint, worth, pictures)

    def channels_to_go(self, share: float) -> dict[str, list[int]]:
        """Return which channels go, by group, so that a share (0..1) of what the groups cost is saved."""
        return choose_channels(self.groups, self.worth, share)

    def without(self, gone: Mapping[str, Sequence[int]]) -> nn.Module:
        """Return a copy without some channels, mended."""
        thinned = pruned(self.network, self.input_size_px, gone)
        return mended_channels(thinned, self.imprint, self.pictures, self.groups, gone)
