"""A network that lost channels or parts, mended in closed form before it learns anything.

A layer that lost inputs is fitted, by least squares on a few pictures, to answer from the others what it
answered before (He et al. 2017). Layers are mended in the order in which they run, each on what the mended
ones before it make, so that errors do not add up. It takes seconds, and saves thousands of views.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import nn

from compress.imprint import Imprint, LayerImprint, dense_layers, read_at
from compress.prune import ChannelGroup

_RIDGE = 1e-3
"""How strongly a layer is held to what it was, beside the mean square of its inputs."""

_AS_BEFORE = 1e-9
"""A layer that misses no larger share of its answers' power than this is left alone."""


def mended(
    hurt: nn.Module,
    imprint: Imprint,
    pictures: Sequence[torch.Tensor],
    lost_outputs: Mapping[str, Collection[int]] | None = None,
    only: Collection[str] | None = None,
) -> nn.Module:
    """Return a copy of a network that lost something; it answers more like the whole one.

    Args:
        hurt: Its layers have the names that they have in the whole one.
        imprint: Of the whole network, on the same pictures.
        pictures: Each `(1, 3, h, w) float32`.
        lost_outputs: Which outputs of the whole network's layers are not there any more, by layer.
        only: The layers to fit; none: all whose inputs are not what they were.
    """
    work = copy.deepcopy(hurt).eval().requires_grad_(requires_grad=False)
    hooks = []
    for name, layer in dense_layers(work):
        if name in imprint and (only is None or name in only):
            lost = (lost_outputs or {}).get(name, ())
            kept = [index for index in range(len(imprint[name].answers)) if index not in lost]
            hooks.append(layer.register_forward_pre_hook(_mender(imprint[name], kept)))
    with torch.no_grad():
        work(torch.cat(list(pictures)))
    for hook in hooks:
        hook.remove()
    return work


def mended_channels(
    thinned: nn.Module,
    imprint: Imprint,
    pictures: Sequence[torch.Tensor],
    groups: Sequence[ChannelGroup],
    gone: Mapping[str, Sequence[int]],
) -> nn.Module:
    """Return a mended copy of a network from `compress.prune.pruned`.

    Args:
        thinned: Without some channels.
        imprint: Of the whole network, on the same pictures.
        pictures: Each `(1, 3, h, w) float32`.
        groups: Of the whole network.
        gone: The channels that went, by group.
    """
    lost: dict[str, set[int]] = {}
    for group in groups:
        for name, outputs in group.makers.items():
            lost.setdefault(name, set()).update(outputs[channel] for channel in gone.get(group.name, ()))
    only = {name for group in groups if group.name in gone for name in group.readers}
    return mended(thinned, imprint, pictures, lost, only)


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
    if missed.square().mean() < _AS_BEFORE * wanted.square().mean():
        return
    count = inputs.shape[1]
    change = torch.linalg.solve(inputs @ inputs.T / count + hold.diag(), inputs @ missed.T / count)
    after = (before + change.T).float()
    if layer.bias is not None:
        layer.bias.copy_(after[:, -1])
    layer.weight.copy_(after[:, : read.shape[0]].reshape(layer.weight.shape))
