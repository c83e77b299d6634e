"""Which of a student's layers learn, and how one view is learned from: as quickly as this processor can."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from compress.count import layer_costs
from compress.distillation import Wanted, distillation_loss


class Learner:
    """A network that learns from one view at a time.

    Layers that answer on finer grids than the detector does stay as they are: the first ones, which have few
    weights and most of the pixels. Mended, they answer nearly what the full detector's do, and without them
    a view costs two thirds, see decision 26. Where a processor multiplies bfloat16, layers may compute in
    that, and it costs half; weights and loss stay float32.
    """

    def __init__(
        self, network: nn.Module, input_size_px: tuple[int, int], finest: int, *, in_bfloat16: bool
    ) -> None:
        """Prepare a network in place.

        Args:
            network: In eval mode; its parameters want gradients.
            input_size_px: (width, height).
            finest: Places in the finest grid that the detector answers on.
            in_bfloat16: Whether layers compute in bfloat16, see `compress.machine.multiplies_bfloat16`.
        """
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for layer in _before_the_answers(network, input_size_px, finest):
            layer.requires_grad_(requires_grad=False)
        self.parameters = [one for one in network.parameters() if one.requires_grad]
        self._in_bfloat16 = in_bfloat16

    def gradients(
        self, picture: torch.Tensor, wanted: Wanted, box_weight: float
    ) -> tuple[float, Sequence[torch.Tensor | None]]:
        """Return the loss of one view `(1, 3, h, w) float32`, and its gradients for `parameters`."""
        with torch.enable_grad():
            with torch.autocast("cpu", torch.bfloat16, enabled=self._in_bfloat16):
                outputs = self.network(picture.contiguous(memory_format=torch.channels_last))
            loss = distillation_loss([output.float() for output in outputs], wanted, box_weight)
            found = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        return float(loss.detach()), found


def in_usual_order(network: nn.Module) -> nn.Module:
    """Return a network that learned, its weights in memory as others have them."""
    changed: nn.Module = network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return changed


def _before_the_answers(network: nn.Module, input_size_px: tuple[int, int], finest: int) -> list[nn.Module]:
    """Return the layers of finer grids than `finest` places; none if nothing would be left to learn."""
    costs = layer_costs(network, input_size_px)
    found = [name for name, cost in costs.items() if math.prod(cost.output[1:]) > finest]
    return [network.get_submodule(name) for name in found] if len(found) < len(costs) else []
