"""AdamW (Loshchilov & Hutter 2019) over one flat vector, with a one-cycle schedule (Smith 2018).

A head has some ten small tensors; one vector makes a step ten operations instead of hundreds, and spares the
second that the first step of `torch.optim` spends on importing its compiler.
"""

from __future__ import annotations

import math

import torch
from torch import nn

_BETA_1, _BETA_2, _EPS = 0.9, 0.99, 1e-8
_WARM_UP_SHARE = 0.2
_FIRST_RATE_SHARE = 0.04
_MAX_GRADIENT_NORM = 35.0


class FlatAdamW:
    """Owns the memory of a module's parameters and gradients, and moves them."""

    def __init__(self, module: nn.Module, weight_decay: float = 1e-4) -> None:
        parameters = list(module.parameters())
        self._values = torch.cat([parameter.detach().flatten() for parameter in parameters])
        self._gradient = torch.zeros_like(self._values)
        self._mean = torch.zeros_like(self._values)
        self._square = torch.zeros_like(self._values)
        self._weight_decay = weight_decay
        self._steps = 0
        start = 0
        for parameter in parameters:
            part = slice(start, start + parameter.numel())
            parameter.data = self._values[part].view_as(parameter)
            parameter.grad = self._gradient[part].view_as(parameter)
            start += parameter.numel()

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move the parameters against their gradient, then clear it."""
        self._steps += 1
        norm = self._gradient.norm()
        self._gradient.mul_((_MAX_GRADIENT_NORM / (norm + 1e-6)).clamp(max=1.0))
        self._mean.lerp_(self._gradient, 1 - _BETA_1)
        self._square.mul_(_BETA_2).addcmul_(self._gradient, self._gradient, value=1 - _BETA_2)
        correction = math.sqrt(1 - _BETA_2**self._steps) / (1 - _BETA_1**self._steps)
        self._values.mul_(1 - learning_rate * self._weight_decay)
        denominator = self._square.sqrt().add_(_EPS)
        self._values.addcdiv_(self._mean, denominator, value=-learning_rate * correction)
        self._gradient.zero_()


def one_cycle(progress: float, peak: float) -> float:
    """Return the rate at `progress` 0..1: up along a cosine for a fifth of the way, then down to nothing."""
    if progress < _WARM_UP_SHARE:
        share = (1 - math.cos(math.pi * progress / _WARM_UP_SHARE)) / 2
        return peak * (_FIRST_RATE_SHARE + (1 - _FIRST_RATE_SHARE) * share)
    rest = (progress - _WARM_UP_SHARE) / (1 - _WARM_UP_SHARE)
    return peak * max(1e-4, (1 + math.cos(math.pi * min(rest, 1.0))) / 2)
