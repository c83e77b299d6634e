"""A thinned network mended in closed form, before it learns anything.

A layer that lost inputs is fitted, by least squares on a few pictures, to answer from the rest what it
answered before (He et al. 2017). Layers are mended in the order in which they run, each on what the mended
ones before it make, so that errors do not add up. It takes seconds, and saves thousands of views.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from compress.imprint import Imprint, LayerImprint, dense_layers, read_at
from compress.prune import ChannelGroup

_RIDGE = 1e-3
"""How strongly a layer is held to what it was, beside the mean square of its inputs."""


def mended(
    thinned: nn.Module,
    imprint: Imprint,
    groups: Sequence[ChannelGroup],
    gone: Mapping[str, Sequence[int]],
    pictures: Sequence[torch.Tensor],
) -> nn.Module:
    """Return a copy of a thinned network that answers more like the whole one.

    Args:
        thinned: From `compress.prune.pruned`.
        imprint: Of the whole network, on the same pictures.
        groups: Of the whole network.
        gone: The channels that went, by group.
        pictures: Each `(1, 3, h, w) float32`.
    """
    work = copy.deepcopy(thinned).eval().requires_grad_(requires_grad=False)
    hurt = {name for group in groups if group.name in gone for name in group.readers}
    lost = _lost_outputs(groups, gone)
    hooks = []
    for name, layer in dense_layers(work):
        if name in hurt and name in imprint:
            kept = [index for index in range(len(imprint[name].answers)) if index not in lost.get(name, ())]
            hooks.append(layer.register_forward_pre_hook(_mender(imprint[name], kept)))
    with torch.no_grad():
        work(torch.cat(list(pictures)))
    for hook in hooks:
        hook.remove()
    return work


def _lost_outputs(groups: Sequence[ChannelGroup], gone: Mapping[str, Sequence[int]]) -> dict[str, set[int]]:
    lost: dict[str, set[int]] = {}
    for group in groups:
        for name, outputs in group.makers.items():
            lost.setdefault(name, set()).update(outputs[channel] for channel in gone.get(group.name, ()))
    return lost


def _mender(
    imprint: LayerImprint, kept: Sequence[int]
) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
    def mend(layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        if isinstance(layer, nn.Conv2d):
            _fit(layer, read_at(layer, given[0], imprint.places), imprint.answers[list(kept)])

    return mend


def _fit(layer: nn.Conv2d, read: torch.Tensor, wanted: torch.Tensor) -> None:
    """Change a layer so that it answers `wanted (outputs, n)` to what it reads `(inputs, n)`.

    A layer without a bias stays without one.
    """
    inputs, before = read.double(), layer.weight.flatten(1).double()
    level = float(inputs.square().mean())
    hold = torch.full((len(inputs),), max(_RIDGE * level, 1e-9), dtype=torch.float64)
    if layer.bias is not None:
        inputs = torch.cat([inputs, torch.ones(1, inputs.shape[1], dtype=torch.float64)])
        before = torch.cat([before, layer.bias[:, None].double()], dim=1)
        hold = torch.cat([hold, torch.full((1,), 1e-9, dtype=torch.float64)])
    missed = wanted.double() - before @ inputs
    count = inputs.shape[1]
    change = torch.linalg.solve(inputs @ inputs.T / count + hold.diag(), inputs @ missed.T / count)
    after = (before + change.T).float()
    if layer.bias is not None:
        layer.bias.copy_(after[:, -1])
    layer.weight.copy_(after[:, : read.shape[0]].reshape(layer.weight.shape))
