"""Parts that can go, on a tiny network and on two real subnets."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from compress.blocks import removable_parts, traced, without
from compress.count import cost_of, parameters_of
from compress.protocol import TwoPartNetwork
from tests.compress.real import new_cocktail
from tests.compress.tiny import fitted_network

SIZE_PX = (96, 64)


def _answers(network: nn.Module) -> tuple[torch.Tensor, ...]:
    picture = torch.rand(1, 3, SIZE_PX[1], SIZE_PX[0], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        answers: tuple[torch.Tensor, ...] = network(picture)
    return answers


def test_traced_answers_as_before_and_has_no_batch_norm() -> None:
    network = fitted_network()
    found = traced(network)

    for expected, answer in zip(_answers(network), _answers(found), strict=True):
        assert torch.allclose(expected, answer, atol=1e-4)
    assert not [module for module in found.modules() if isinstance(module, nn.BatchNorm2d)]


def test_removable_parts_of_a_residual_is_the_block_and_never_what_the_answer_needs() -> None:
    network = traced(fitted_network())

    parts = removable_parts(network, SIZE_PX)

    assert [(part.kind, part.what) for part in parts] == [("block", "repeated block same")]
    rest = without(network, parts)
    assert parts[0].parameters == parameters_of(network) - parameters_of(rest)
    assert parts[0].macs == cost_of(network, SIZE_PX).macs - cost_of(rest, SIZE_PX).macs


def test_without_a_residual_block_is_the_identity_in_its_place() -> None:
    network = fitted_network()
    rest = without(traced(network), removable_parts(traced(network), SIZE_PX))
    silent = fitted_network_with_silent_block()

    for expected, answer in zip(_answers(silent), _answers(rest), strict=True):
        assert torch.allclose(expected, answer, atol=1e-4)


def fitted_network_with_silent_block() -> nn.Module:
    network = copy.deepcopy(fitted_network())
    network.same = _Nothing()  # type: ignore[assignment]
    return network


class _Nothing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


@pytest.mark.slow
def test_without_all_of_two_operands_of_a_sum_refuses() -> None:
    network = traced(new_cocktail())
    subnets = [part for part in removable_parts(network, SIZE_PX) if part.kind == "subnet"]

    with pytest.raises(ValueError, match="no answer would be left"):
        without(network, subnets)


@pytest.mark.slow
def test_removable_parts_of_two_subnets_are_either_subnet_their_levels_and_repeated_blocks() -> None:
    network = traced(new_cocktail())

    parts = removable_parts(network, SIZE_PX)

    said = [part.what for part in parts]
    assert {"subnet body.trunks.0", "subnet body.trunks.1"} <= set(said)
    assert said.count("features at stride 32") == 3  # of either subnet, and of both
    assert sum(part.kind == "block" for part in parts) == 19
    assert [part.macs for part in parts] == sorted((part.macs for part in parts), reverse=True)
    for part in parts[::5]:
        rest = without(network, [part])
        assert isinstance(rest, TwoPartNetwork)
        assert [tuple(one.shape) for one in _answers(rest)] == [(1, 8, 12, 1), (1, 8, 12, 4)]
        assert cost_of(network, SIZE_PX).macs - cost_of(rest, SIZE_PX).macs == part.macs


@pytest.mark.slow
def test_without_a_subnet_answers_as_the_other_alone() -> None:
    network = traced(new_cocktail())
    gone = next(one for one in removable_parts(network, SIZE_PX) if one.what == "subnet body.trunks.1")
    silent = traced(new_cocktail())
    with torch.no_grad():
        for number in (3, 4, 5):
            silent.get_parameter(f"body.adapters.{number}.weight").zero_()

    for expected, answer in zip(_answers(silent), _answers(without(network, [gone])), strict=True):
        assert torch.allclose(expected, answer, atol=1e-4)
