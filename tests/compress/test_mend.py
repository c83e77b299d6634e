"""Thinned networks mended in closed form, on the tiny detector."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from compress.blocks import removable_parts, traced, without
from compress.capture import normalised
from compress.imprint import Imprint, take_imprint
from compress.mend import mended, mended_channels
from compress.prune import ChannelGroup, choose_channels, prunable_groups, pruned
from compress.surgeon import importance
from compress.thin import Thinning
from tests.compress.test_prune import Small
from tests.compress.tiny import fitted_network, scene

SIZE_PX = (96, 64)


@dataclass(frozen=True)
class Known:
    """A network, pictures that it was looked at with, and others."""

    network: nn.Module
    groups: list[ChannelGroup]
    imprint: Imprint
    pictures: list[torch.Tensor]
    others: list[torch.Tensor]

    def error(self, network: nn.Module) -> float:
        """Return the mean square of how far answers to other pictures are from the whole network's."""
        with torch.no_grad():
            pairs = [
                (one, other)
                for picture in self.others
                for one, other in zip(self.network(picture), network(picture), strict=True)
            ]
        return sum(float((one - other).square().mean()) for one, other in pairs)


def _picture(seed: int) -> torch.Tensor:
    return torch.from_numpy(normalised(scene(seed).rgb)).permute(2, 0, 1)[None].contiguous()


@pytest.fixture(scope="module")
def known() -> Known:
    network = traced(fitted_network())
    pictures = [_picture(seed) for seed in range(12)]
    groups = [group for group in prunable_groups(network, SIZE_PX) if group.inner]
    imprint = take_imprint(network, pictures)
    return Known(network, groups, imprint, pictures, [_picture(seed) for seed in range(50, 60)])


def test_mended_network_answers_nearer_to_the_whole_one_on_other_pictures(known: Known) -> None:
    gone = {group.name: list(range(0, group.channels, 3)) for group in known.groups}
    thinned = pruned(known.network, SIZE_PX, gone)

    better = mended_channels(thinned, known.imprint, known.pictures, known.groups, gone)

    assert known.error(better) < 0.5 * known.error(thinned)
    assert [one.shape for one in better.parameters()] == [one.shape for one in thinned.parameters()]


def test_mended_network_that_lost_what_others_say_too_answers_as_before(known: Known) -> None:
    network = copy.deepcopy(known.network)
    group = next(one for one in known.groups if one.channels == 24)
    (name,) = group.makers
    maker = network.get_submodule(name)
    with torch.no_grad():  # every channel twice
        for number in (0, 1):
            for own in (maker.get_parameter("weight"), maker.get_parameter("bias")):
                own[12 + number] = own[number]
    imprint = take_imprint(network, known.pictures)
    gone = {group.name: [12, 13]}

    thinned = pruned(network, SIZE_PX, gone)

    better = mended_channels(thinned, imprint, known.pictures, known.groups, gone)

    twice = Known(network, known.groups, imprint, known.pictures, known.others)
    assert twice.error(better) < 1e-3 * twice.error(thinned)
    worth = importance(network, imprint, [group])[group.name]
    assert worth[[0, 12]].min() < 1e-3 * worth.max()
    assert worth[[1, 13]].min() < 1e-3 * worth.max()


def test_mended_network_without_a_part_answers_nearer_to_the_whole_one(known: Known) -> None:
    part = removable_parts(known.network, SIZE_PX)[0]
    rest = without(known.network, [part])

    better = mended(rest, known.imprint, known.pictures)

    assert known.error(better) < 0.5 * known.error(rest)


def test_mended_whole_network_is_left_as_it_is(known: Known) -> None:
    same = mended(known.network, known.imprint, known.pictures)

    assert all(
        torch.equal(one, other)
        for one, other in zip(known.network.parameters(), same.parameters(), strict=True)
    )


def test_importance_takes_first_what_can_be_made_up_for(known: Known) -> None:
    """Beside channels chosen by their own size alone, the surgeon's choice must lose less after mending."""
    by_surgeon = importance(known.network, known.imprint, known.groups)
    alone = {group.name: _size(known.network, group) for group in known.groups}
    errors = []
    for worth in (by_surgeon, alone):
        gone = choose_channels(known.groups, worth, 0.5)
        thinned = pruned(known.network, SIZE_PX, gone)
        errors.append(
            known.error(mended_channels(thinned, known.imprint, known.pictures, known.groups, gone))
        )

    assert errors[0] < errors[1]


def _size(network: nn.Module, group: ChannelGroup) -> torch.Tensor:
    total = torch.zeros(group.channels)
    for name, channels in group.readers.items():
        weight = network.get_submodule(name).get_parameter("weight").detach()
        total += weight[:, list(channels)].square().sum(dim=(0, 2, 3))
    return total


def test_importance_of_a_channel_that_nothing_reads_is_nothing(known: Known) -> None:
    network = copy.deepcopy(known.network)
    group = next(one for one in known.groups if one.channels == 24)
    with torch.no_grad():
        for name in group.readers:
            network.get_submodule(name).get_parameter("weight")[:, 5] = 0

    worth = importance(network, known.imprint, [group])[group.name]

    assert worth[5] == 0
    assert (worth > 0).sum() > 8


class _OneHead(nn.Module):
    """Two levels with the same head."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 16, 3, 8, 1), nn.Conv2d(16, 16, 3, 2, 1)
        self.hidden, self.scores, self.boxes = (nn.Conv2d(16, outputs, 1) for outputs in (16, 1, 4))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        fine = torch.relu(self.fine(image))
        maps = [torch.relu(self.hidden(level)) for level in (fine, torch.relu(self.coarse(fine)))]
        return tuple(out(level).permute(0, 2, 3, 1) for level in maps for out in (self.scores, self.boxes))


def test_thinning_leaves_a_head_that_works_for_two_levels_alone(known: Known) -> None:
    torch.manual_seed(2)
    network = _OneHead().eval()

    thinning = Thinning.of(network, SIZE_PX, known.pictures)
    thinner = thinning.without(thinning.channels_to_go(1.0))

    assert set(thinning.imprint) == {"fine", "coarse"}
    assert thinner.get_parameter("hidden.weight").shape == network.hidden.weight.shape
    assert len(thinner(known.pictures[0])) == 4


@pytest.mark.parametrize("norm", [True, False])
def test_groups_name_who_makes_and_reads_each_channel(norm: bool) -> None:
    torch.manual_seed(3)
    network = Small((8, 16, 4), norm=norm, activation=nn.ReLU()).eval()

    groups = {group.channels: group for group in prunable_groups(network, SIZE_PX)}

    ends = ".0" if norm else ""
    assert groups[16].makers == {f"expand{ends}": tuple(range(16))}
    assert groups[16].readers == {f"project{ends}": tuple(range(16))}
    assert groups[4].readers == dict.fromkeys(("scores", "boxes"), tuple(range(8, 12)))  # behind the others
    assert set(groups[8].makers) == {f"stem{ends}", f"project{ends}"}
