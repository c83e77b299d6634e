"""What a network costs: multiplications of one look, and numbers to store."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Cost:
    """`macs` are multiplications with additions of one picture, in convolutions and linear layers."""

    macs: int
    parameters: int


@dataclass(frozen=True)
class LayerCost:
    """One layer's share of the macs, and how large its output `(channels, h, w)` is."""

    macs: int
    output: tuple[int, ...]


def picture_of(input_size_px: tuple[int, int]) -> torch.Tensor:
    """Return a grey picture `(1, 3, h, w) float32` for (width, height), as networks take it."""
    return torch.zeros(1, 3, input_size_px[1], input_size_px[0])


def cost_of(network: nn.Module, input_size_px: tuple[int, int]) -> Cost:
    """Return what one look at (width, height) costs, and how many parameters there are."""
    layers = layer_costs(network, input_size_px)
    return Cost(sum(layer.macs for layer in layers.values()), parameters_of(network))


def parameters_of(network: nn.Module) -> int:
    """Return how many numbers a network learned."""
    return sum(parameter.numel() for parameter in network.parameters())


def layer_costs(network: nn.Module, input_size_px: tuple[int, int]) -> dict[str, LayerCost]:
    """Return the cost of each convolution and linear layer, by its name; unused layers are not in it."""
    costs: dict[str, LayerCost] = {}

    def note(name: str, layer: nn.Module, output: torch.Tensor) -> None:
        weight: Any = layer.weight
        places = output[0, 0].numel() if isinstance(layer, nn.Conv2d) else output[0].numel() // len(weight)
        macs = places * math.prod(weight.shape)
        before = costs[name].macs if name in costs else 0
        costs[name] = LayerCost(before + macs, tuple(output.shape[1:]))

    with watched(network, note), torch.no_grad():
        network(picture_of(input_size_px))
    return costs


@contextmanager
def watched(network: nn.Module, note: Callable[[str, nn.Module, torch.Tensor], None]) -> Iterator[None]:
    """Tell `note` of each output of each convolution and linear layer while the block runs."""
    hooks = [
        layer.register_forward_hook(lambda layer, _, output, name=name: note(name, layer, output))
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
