"""Pruned networks answer as masked ones, whatever they are made of."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from torch import nn

from compress.blocks import traced
from compress.count import cost_of
from compress.prune import (
    ChannelGroup,
    choose_channels,
    masked,
    output_layers,
    prunable_groups,
    pruned,
)
from tests.compress.real import new_cocktail
from tests.compress.tiny import fitted_network

SIZE_PX = (96, 64)
MAX_ERROR = 1e-4


class Small(nn.Module):
    """A random network with all that groups have to get right: sums, depthwise layers, concatenation."""

    def __init__(self, widths: tuple[int, int, int], *, norm: bool, activation: nn.Module) -> None:
        super().__init__()
        stem, hidden, out = widths
        self.stem = _layer(3, stem, 3, 4, norm=norm)
        self.expand = _layer(stem, hidden, 1, 1, norm=norm)
        self.filter = _layer(hidden, hidden, 3, 1, groups=hidden, norm=norm)
        self.project = _layer(hidden, stem, 1, 1, norm=norm)
        self.coarse = _layer(stem, out, 3, 2, norm=norm)
        self.act = activation
        self.scores, self.boxes = nn.Conv2d(stem + out, 2, 1), nn.Conv2d(stem + out, 4, 1)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = self.act(self.stem(image))
        second = first + self.project(self.act(self.filter(self.act(self.expand(first)))))
        coarse = nn.functional.interpolate(self.act(self.coarse(second)), scale_factor=2.0)
        both = torch.cat([second, coarse], dim=1)
        return self.scores(both).permute(0, 2, 3, 1), torch.relu(self.boxes(both)).permute(0, 2, 3, 1)


def _layer(inputs: int, outputs: int, kernel: int, stride: int, *, norm: bool, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=not norm)
    if not norm:
        return conv
    bn = nn.BatchNorm2d(outputs)
    nn.init.normal_(bn.weight)
    nn.init.normal_(bn.bias)
    bn.running_mean = torch.randn(outputs)
    return nn.Sequential(conv, bn)


@hypothesis.settings(deadline=None, max_examples=5)
@hypothesis.given(
    widths=st.tuples(st.integers(3, 12), st.integers(3, 20), st.integers(2, 9)),
    norm=st.booleans(),
    activation=st.sampled_from([nn.ReLU6(), nn.Hardswish(), nn.Sigmoid()]),
    seed=st.integers(0, 1000),
)
def test_pruned_of_any_group_of_a_small_network_answers_as_masked(
    widths: tuple[int, int, int], norm: bool, activation: nn.Module, seed: int
) -> None:
    torch.manual_seed(seed)
    network = Small(widths, norm=norm, activation=activation).eval()
    groups = prunable_groups(network, SIZE_PX)

    assert {group.channels for group in groups} == set(widths)
    for group in groups:
        _check(network, {group.name: _some(group, seed)})


@pytest.mark.slow
def test_pruned_of_every_group_of_two_subnets_with_a_head_answers_as_masked() -> None:
    network = traced(new_cocktail())
    groups = prunable_groups(network, SIZE_PX)

    assert len(groups) == 50
    for number in range(5):  # tenfold more at once takes a tenth of the time: a graph is read each time
        _check(network, {group.name: _some(group, number) for group in groups[number::5]})
    _check(network, {group.name: _some(group, 1) for group in groups})


def _some(group: ChannelGroup, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(group.channels, generator=generator)[: group.channels // 2].tolist()


def _check(network: nn.Module, gone: dict[str, list[int]]) -> None:
    picture = torch.rand(1, 3, SIZE_PX[1], SIZE_PX[0], generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        whole, small = masked(network, SIZE_PX, gone)(picture), pruned(network, SIZE_PX, gone)(picture)
    for expected, found in zip(whole, small, strict=True):
        assert expected.shape == found.shape
        assert (expected - found).abs().max() < MAX_ERROR, gone


def test_pruned_costs_less_and_leaves_the_network_as_it_was() -> None:
    network = fitted_network()
    before = cost_of(network, SIZE_PX)
    group = next(one for one in prunable_groups(network, SIZE_PX) if one.channels == 24)

    after = cost_of(pruned(network, SIZE_PX, {group.name: range(8)}), SIZE_PX)

    assert cost_of(network, SIZE_PX) == before
    assert before.work - after.work == pytest.approx(8 * group.work_each)
    assert before.parameters > after.parameters


def test_prunable_groups_of_sums_are_not_inner() -> None:
    groups = prunable_groups(fitted_network(), SIZE_PX)

    assert sorted((group.channels, group.inner) for group in groups) == [
        (12, True),
        (24, True),
        (32, False),  # what the residual adds up
        (32, True),
    ]


def test_output_layers_are_those_of_the_answers() -> None:
    network = fitted_network()

    assert set(output_layers(network.requires_grad_(), SIZE_PX)) == {network.scores, network.boxes}


@pytest.mark.parametrize(
    ("channels", "share", "left"),
    [
        (32, 0.25, 24),
        (32, 0.5, 16),
        (32, 1.0, 8),
        (30, 0.1, 24),  # to a multiple of eight first
        (30, 0.0, 30),
        (12, 1.0, 8),
        (7, 1.0, 7),
    ],
)
def test_choose_channels_leaves_multiples_of_eight(channels: int, share: float, left: int) -> None:
    group = ChannelGroup("layer", channels, inner=True, work_each=10.0)

    gone = choose_channels([group], {"layer": torch.arange(channels, 0, -1.0)}, share)

    kept = channels - len(gone.get("layer", []))
    assert kept == left
    assert gone.get("layer", []) == list(range(left, channels))  # the least important are the last


def test_choose_channels_takes_the_costly_one_of_two_equally_important_groups() -> None:
    groups = [ChannelGroup("cheap", 32, inner=True, work_each=1.0), ChannelGroup("dear", 32, True, 9.0)]

    gone = choose_channels(groups, {"cheap": torch.ones(32), "dear": torch.ones(32)}, 0.2)

    assert {name: len(indices) for name, indices in gone.items()} == {"dear": 8}
