"""Loss of the head: focal on the heat map, GIoU on the boxes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

BOX_WEIGHT = 5.0


@dataclass(frozen=True)
class TargetBatch:
    """What the head should say.

    `heat (n, classes, h, w)` is 1 at centres and falls off around them; `distances (n, 4, h, w)` in strides
    counts where `box_weight (n, 1, h, w)` is above 0; `trusted (n, 1, h, w)` is 0 where nothing is known. All
    float32.
    """

    heat: torch.Tensor
    distances: torch.Tensor
    box_weight: torch.Tensor
    trusted: torch.Tensor


def detection_loss(logits: torch.Tensor, distances: torch.Tensor, target: TargetBatch) -> torch.Tensor:
    """Return the loss per picture `(n,) float32`; its mean is what training lowers."""
    centres = target.heat.eq(1.0).float() * target.trusted
    count = centres.sum().clamp(min=1.0) / len(logits)
    focal = focal_loss(logits, target.heat) * target.trusted
    overlap = giou_loss(distances, target.distances) * target.box_weight * target.trusted
    weight = (target.box_weight * target.trusted).sum().clamp(min=1e-6) / len(logits)
    return focal.sum((1, 2, 3)) / count + BOX_WEIGHT * overlap.sum((1, 2, 3)) / weight


def focal_loss(logits: torch.Tensor, heat: torch.Tensor) -> torch.Tensor:
    """Return the penalty-reduced focal loss (CornerNet, Law & Deng 2018), the shape of `logits`."""
    score = torch.sigmoid(logits)
    hit = -functional.logsigmoid(logits) * (1 - score) ** 2
    alarm = -functional.logsigmoid(-logits) * score**2 * (1 - heat) ** 4
    return torch.where(heat.eq(1.0), hit, alarm)


def giou_loss(distances: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return 1 - GIoU (Rezatofighi et al. 2019) per cell `(n, 1, h, w)`, of distances `(n, 4, h, w)`."""
    low, high = torch.minimum(distances, wanted), torch.maximum(distances, wanted)
    shared = (low[:, 0] + low[:, 2]) * (low[:, 1] + low[:, 3])
    hull = (high[:, 0] + high[:, 2]) * (high[:, 1] + high[:, 3]) + 1e-6
    area = (distances[:, 0] + distances[:, 2]) * (distances[:, 1] + distances[:, 3])
    wanted_area = (wanted[:, 0] + wanted[:, 2]) * (wanted[:, 1] + wanted[:, 3])
    union = area + wanted_area - shared + 1e-6
    giou = shared / union - (hull - union) / hull
    return (1 - giou).unsqueeze(1)
