"""What a network costs: multiplications of one look, numbers to store, and how long an int8 runtime takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_NUMBER_WORK = 20
"""Multiplications for which there is time while one number is scaled to int8 and written.

Fitted to single layers of a MobileNetV2 in LiteRT on one thread (AVX2): dense ones do 46 thousand million
multiplications a second, and each number that they, or depthwise ones, answer takes another 0.45 ns.
"""

_AT_ONCE = 8
"""Input channels that a kernel takes at once; of a picture's three, five more are computed for nothing."""


@dataclass(frozen=True)
class Cost:
    """What one look at a picture costs.

    Attributes:
        macs: Multiplications with additions, in convolutions and linear layers.
        parameters: Numbers to store.
        work: How long an int8 runtime takes, in multiplications of its quickest layers: an early layer of few
            multiplications and many pixels takes long.
    """

    macs: int
    parameters: int
    work: int


@dataclass(frozen=True)
class LayerCost:
    """One layer's share of the macs and of the work, and how large its output `(channels, h, w)` is.

    `work_of_reading` is the part of the work that is less with fewer inputs.
    """

    macs: int
    output: tuple[int, ...]
    work: int
    work_of_reading: int


def picture_of(input_size_px: tuple[int, int]) -> torch.Tensor:
    """Return a grey picture `(1, 3, h, w) float32` for (width, height), as networks take it."""
    return torch.zeros(1, 3, input_size_px[1], input_size_px[0])


def cost_of(network: nn.Module, input_size_px: tuple[int, int]) -> Cost:
    """Return what one look at (width, height) costs, and how many parameters there are."""
    layers = layer_costs(network, input_size_px).values()
    return Cost(
        sum(layer.macs for layer in layers), parameters_of(network), sum(layer.work for layer in layers)
    )


def parameters_of(network: nn.Module) -> int:
    """Return how many numbers a network learned."""
    return sum(parameter.numel() for parameter in network.parameters())


def layer_costs(network: nn.Module, input_size_px: tuple[int, int]) -> dict[str, LayerCost]:
    """Return the cost of each convolution and linear layer, by its name; unused layers are not in it."""
    costs: dict[str, LayerCost] = {}

    def note(name: str, layer: nn.Module, output: torch.Tensor) -> None:
        weight: Any = layer.weight
        places = output[0, 0].numel() if isinstance(layer, nn.Conv2d) else output[0].numel() // len(weight)
        outputs, inputs, *kernel = weight.shape
        reading = places * outputs * _read_at_once(inputs) * math.prod(kernel)
        before = costs.get(name, LayerCost(0, (), 0, 0))
        costs[name] = LayerCost(
            before.macs + places * math.prod(weight.shape),
            tuple(output.shape[1:]),
            before.work + reading + _NUMBER_WORK * places * outputs,
            before.work_of_reading + reading,
        )

    with watched(network, note), torch.no_grad():
        network(picture_of(input_size_px))
    return costs


def _read_at_once(inputs: int) -> int:
    """Return how many inputs are computed for so many; of a depthwise layer each output reads one."""
    return inputs if inputs == 1 else -(-inputs // _AT_ONCE) * _AT_ONCE


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
