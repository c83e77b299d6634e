"""How far a network's outputs are from the full detector's answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from compress.teacher import Answer

BOX_WEIGHT = 2.0

_LEAST_HEAT = 0.1

Wanted = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Per level heat `(h, w, classes)` and distances `(h, w, 4)`, float32."""


def distillation_loss(
    outputs: Sequence[torch.Tensor],
    answer: Wanted,
    box_weight: float = BOX_WEIGHT,
) -> torch.Tensor:
    """Return how far outputs are from the full detector's answer to one picture.

    Quality focal loss on the heat (Li et al. 2020), GIoU on the boxes where the full detector is warm.

    Args:
        outputs: Per level scores `(1, h, w, classes)` logits, then boxes `(1, h, w, 4)` in strides.
        answer: The full detector's.
        box_weight: Of the boxes, beside the scores.
    """
    total = outputs[0].new_zeros(())
    for logits, boxes, (heat, distances) in zip(outputs[::2], outputs[1::2], answer, strict=True):
        cross = functional.binary_cross_entropy_with_logits(logits[0], heat, reduction="none")
        focal = (torch.sigmoid(logits[0]) - heat).abs() ** 2 * cross
        warmth = heat.amax(dim=-1)
        weight = torch.where(warmth > _LEAST_HEAT, warmth, 0.0)
        apart = giou_loss(boxes[0], distances) * weight
        total = total + focal.sum() / heat.sum().clamp(min=1.0)
        total = total + box_weight * apart.sum() / weight.sum().clamp(min=1.0)
    return total


def giou_loss(distances: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return 1 - GIoU (Rezatofighi et al. 2019) `(h, w)` of left, top, right, bottom `(h, w, 4)`."""
    low, high = torch.minimum(distances, wanted), torch.maximum(distances, wanted)
    shared = (low[..., 0] + low[..., 2]) * (low[..., 1] + low[..., 3])
    hull = (high[..., 0] + high[..., 2]) * (high[..., 1] + high[..., 3]) + 1e-6
    areas = [(one[..., 0] + one[..., 2]) * (one[..., 1] + one[..., 3]) for one in (distances, wanted)]
    union = areas[0] + areas[1] - shared + 1e-6
    return 1 - (shared / union - (hull - union) / hull)


def tensors_of(answer: Answer) -> Wanted:
    """Return an answer as the loss takes it."""
    return [
        (
            torch.from_numpy(level.heat.astype(np.float32)),
            torch.from_numpy(level.distances.astype(np.float32)),
        )
        for level in answer
    ]
