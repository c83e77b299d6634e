"""What of a student learns, and that it learns the same in fewer bits."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from compress.distillation import distillation_loss
from compress.learner import Learner, in_usual_order
from tests.compress.tiny import HEIGHT_PX, STRIDE_PX, WIDTH_PX, fitted_network

SIZE_PX = (WIDTH_PX, HEIGHT_PX)
GRID = HEIGHT_PX // STRIDE_PX, WIDTH_PX // STRIDE_PX
FINEST = GRID[0] * GRID[1]


def _learner(*, finest: int = FINEST, in_bfloat16: bool = False) -> Learner:
    network = copy.deepcopy(fitted_network()).eval().requires_grad_(requires_grad=True)
    return Learner(network, SIZE_PX, finest, in_bfloat16=in_bfloat16)


def _lesson() -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
    random = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, HEIGHT_PX, WIDTH_PX, generator=random)
    return picture, [(torch.rand(*GRID, 1, generator=random), 1 + torch.rand(*GRID, 4, generator=random))]


def test_learner_leaves_layers_of_finer_grids_than_the_answers_as_they_are() -> None:
    learner = _learner()

    learns = {name: one.requires_grad for name, one in learner.network.named_parameters()}

    assert not learns["stem.0.0.weight"]  # stride 2
    assert not learns["stem.1.0.weight"]  # stride 4
    assert learns["stem.2.0.weight"]
    assert learns["scores.weight"]
    assert len(learner.parameters) == sum(learns.values())


def test_learner_of_a_network_whose_layers_are_all_finer_lets_all_learn() -> None:
    learner = _learner(finest=1)

    assert len(learner.parameters) == len(list(learner.network.parameters()))


@pytest.mark.parametrize(("in_bfloat16", "alike"), [(False, 0.9999), (True, 0.99)])
def test_learner_gradients_are_those_of_the_loss(in_bfloat16: bool, alike: float) -> None:
    picture, wanted = _lesson()
    learner = _learner(in_bfloat16=in_bfloat16)
    plain = copy.deepcopy(fitted_network()).eval()
    loss = distillation_loss(plain(picture), wanted, 0.5)

    found_loss, found = learner.gradients(picture, wanted, 0.5)

    learns = {name for name, one in learner.network.named_parameters() if one.requires_grad}
    names = [name for name, _ in plain.named_parameters() if name in learns]
    expected = torch.autograd.grad(loss, [plain.get_parameter(name) for name in names])
    assert found_loss == pytest.approx(float(loss.detach()), rel=0.02)
    for one, other in zip(expected, found, strict=True):
        assert other is not None
        assert cosine_similarity(one.flatten(), other.flatten(), dim=0) > alike


def test_learned_network_has_its_weights_in_the_usual_order_again() -> None:
    layer = nn.Conv2d(3, 4, 3)
    before = layer.weight.detach().clone()

    network = in_usual_order(Learner(layer, (32, 32), 1, in_bfloat16=False).network)

    assert network.get_parameter("weight").is_contiguous()
    assert torch.equal(network.get_parameter("weight"), before)
