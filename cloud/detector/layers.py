"""What a head's layers are, checked: torch types all of them as modules."""

from __future__ import annotations

import torch
from torch import nn


def as_convolution(layer: nn.Module) -> nn.Conv2d:
    """Return a layer that is a convolution.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(layer, nn.Conv2d):
        message = f"expected a convolution, got {type(layer).__name__}"
        raise TypeError(message)
    return layer


def bias_of(layer: nn.Conv2d) -> torch.Tensor:
    """Return a convolution's bias, `(out,)`.

    Raises:
        TypeError: It has none.
    """
    if layer.bias is None:
        message = "the convolution has no bias"
        raise TypeError(message)
    return layer.bias
