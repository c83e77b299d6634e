"""The loss: lowest where the head is right, blind where nothing is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cloud.detector.loss import TargetBatch, detection_loss, focal_loss, giou_loss
from cloud.training.targets import build_targets
from edge_agent.vision.nms import iou_matrix


def batch() -> TargetBatch:
    targets = build_targets(np.array([[16, 16, 56, 80]], np.float32), np.array([0]), 2, (128, 96))
    parts = (targets.heat, targets.distances, targets.box_weight, targets.trusted)
    return TargetBatch(*(torch.from_numpy(part).permute(2, 0, 1)[None] for part in parts))


def logits_for(target: TargetBatch) -> torch.Tensor:
    return torch.where(target.heat.eq(1.0), 9.0, -9.0)


def test_detection_loss_right_answer_costs_next_to_nothing() -> None:
    target = batch()
    right = detection_loss(logits_for(target), target.distances, target)
    assert float(right) < 0.01
    assert float(detection_loss(-logits_for(target), target.distances, target)) > 10
    assert float(detection_loss(logits_for(target), target.distances + 3, target)) > 0.5


def test_detection_loss_ignores_what_is_not_trusted() -> None:
    target = batch()
    trusted = target.trusted.clone()
    trusted[..., :5] = 0
    target = replace(target, trusted=trusted)
    logits, distances = (
        torch.zeros(1, 2, 12, 16, requires_grad=True),
        torch.ones(1, 4, 12, 16, requires_grad=True),
    )
    torch.autograd.backward(detection_loss(logits, distances, target).sum())
    assert logits.grad is not None
    assert distances.grad is not None
    assert float(logits.grad[..., :5].abs().max()) == 0
    assert float(distances.grad[..., :5].abs().max()) == 0
    assert float(logits.grad[..., 5:].abs().min()) > 0


def test_detection_loss_nothing_in_the_pictures_is_finite_and_lowers_scores() -> None:
    empty = build_targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 1, (64, 64))
    parts = (empty.heat, empty.distances, empty.box_weight, empty.trusted)
    target = TargetBatch(*(torch.from_numpy(part).permute(2, 0, 1)[None] for part in parts))
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    loss = detection_loss(logits, torch.ones(1, 4, 8, 8), target).sum()
    torch.autograd.backward(loss)
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert float(logits.grad.min()) > 0


def test_focal_loss_cares_less_for_alarms_near_a_centre() -> None:
    loss = focal_loss(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.9]))
    assert float(loss[0]) > 100 * float(loss[1])


sides = st.tuples(*[st.floats(0.1, 20.0)] * 4)


@given(sides, sides)
def test_giou_loss_agrees_with_the_definition(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    def corners(distances: tuple[float, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        left, top, right, bottom = distances
        return np.array([[-left, -top, right, bottom]], np.float32)

    a, b = corners(one), corners(other)
    hull = np.concatenate([np.minimum(a, b)[0, :2], np.maximum(a, b)[0, 2:]])
    hull_area = float((hull[2] - hull[0]) * (hull[3] - hull[1]))
    iou = float(iou_matrix(a, b)[0, 0])
    areas = [float((box[0, 2] - box[0, 0]) * (box[0, 3] - box[0, 1])) for box in (a, b)]
    union = sum(areas) / (1 + iou)
    expected = 1 - (iou - (hull_area - union) / hull_area)
    result = giou_loss(torch.tensor(one).view(1, 4, 1, 1), torch.tensor(other).view(1, 4, 1, 1))
    assert float(result) == pytest.approx(expected, abs=2e-3)
