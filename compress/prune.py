"""Structured pruning: whole channels go, with everything in other layers that belonged to them.

What belongs together is found by torch-pruning's dependency graph. Which channels go is our own choice: those
that are missed least, see `compress.surgeon`, for the time that they take.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch_pruning as tp
from torch import nn

from compress.count import LayerCost, layer_costs, picture_of, watched

ROUND_TO = 8
"""Channels stay a multiple of this: kernels of int8 runtimes work on so many at once."""


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only go together.

    Attributes:
        name: Of the layer that makes them.
        channels: How many there are.
        inner: Whether one layer alone makes them; else several are summed, as along residual blocks.
        work_each: What ends with one channel, at the size asked for; see `compress.count.Cost`.
        makers: Convolutions that make the channels, each with the number of its output for every channel.
        readers: Likewise those that read them. Either is empty when another kind of layer is among them.
    """

    name: str
    channels: int
    inner: bool
    work_each: float
    makers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    readers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def prunable_groups(network: nn.Module, input_size_px: tuple[int, int]) -> list[ChannelGroup]:
    """Return the groups of channels of which some can go; those of the answers are not among them.

    Args:
        network: In eval mode, batch norms folded in or not.
        input_size_px: (width, height) for which the work is counted.
    """
    work = _trainable(network)
    names = {module: name for name, module in work.named_modules()}
    costs = layer_costs(work, input_size_px)
    graph = _dependencies(work, input_size_px)
    ignored = output_layers(work, input_size_px)
    found = []
    for group in graph.get_all_groups(ignored_layers=ignored, root_module_types=[nn.Conv2d, nn.Linear]):
        members = [(names.get(one.dep.target.module, ""), one.dep) for one in group]
        if any(_is_grouped(dep.target.module) for _, dep in members):
            continue
        root, channels = members[0][0], len(group[0].idxs)
        makers = {name for name, dep in members if _makes(dep) and not _is_depthwise(dep.target.module)}
        cost = sum(_work(costs[name], dep) for name, dep in _own_layers(members) if name in costs)
        tied = [_tied(group, names, channels, made=made) for made in (True, False)]
        found.append(ChannelGroup(root, channels, len(makers) == 1, cost / channels, *tied))
    return found


def masked(
    network: nn.Module, input_size_px: tuple[int, int], gone: Mapping[str, Sequence[int]]
) -> nn.Module:
    """Return a copy that answers as if channels were gone, with all shapes as they were.

    Args:
        network: In eval mode.
        input_size_px: (width, height) of a picture it takes.
        gone: Channels that go, by the name of their group.
    """
    work = _trainable(network)
    graph = _dependencies(work, input_size_px)
    with torch.no_grad():
        for name, indices in gone.items():
            root = work.get_submodule(name)
            for member in graph.get_pruning_group(root, _pruner(root), list(indices)):
                _silence(member.dep, member.idxs)
    return work.requires_grad_(requires_grad=False)


def pruned(
    network: nn.Module, input_size_px: tuple[int, int], gone: Mapping[str, Sequence[int]]
) -> nn.Module:
    """Return a smaller copy without some channels; answers as `masked` does.

    Args:
        network: In eval mode.
        input_size_px: (width, height) of a picture it takes.
        gone: Channels that go, by the name of their group.
    """
    work = _trainable(network)
    graph = _dependencies(work, input_size_px)
    for name, indices in gone.items():
        root = work.get_submodule(name)
        graph.get_pruning_group(root, _pruner(root), list(indices)).prune()
    for parameter in work.parameters():
        parameter.data = parameter.data.clone()  # torch-pruning leaves views of the larger ones
    return work.requires_grad_(requires_grad=False)


def choose_channels(
    groups: Iterable[ChannelGroup], importance: Mapping[str, torch.Tensor], share: float, keep: float = 0.2
) -> dict[str, list[int]]:
    """Return which channels go, by group: those that matter least for what they cost.

    Args:
        groups: From which channels may go.
        importance: Of each channel, by group.
        share: How much of what all these groups cost is to go, 0..1.
        keep: No group loses more than the rest of this share.
    """
    packs = []
    total = 0.0
    for group in groups:
        worth = importance.get(group.name, torch.zeros(group.channels))
        order = worth.argsort().tolist()
        total += group.work_each * group.channels
        ragged = group.channels % ROUND_TO  # the first pack makes the rest a multiple
        starts = [0, *range(ragged or ROUND_TO, group.channels, ROUND_TO)]
        least = max(ROUND_TO, keep * group.channels)
        for start, end in pairwise(starts):
            if group.channels - end >= least:
                cost = group.work_each * (end - start)
                packs.append(
                    (float(worth[order[start:end]].sum()) / cost, group.name, order[start:end], cost)
                )
    gone: dict[str, list[int]] = {}
    saved = 0.0
    for _, name, indices, cost in sorted(packs, key=lambda pack: pack[0]):
        if saved >= share * total:
            break
        gone.setdefault(name, []).extend(indices)
        saved += cost
    return {name: sorted(indices) for name, indices in gone.items()}


def output_layers(network: nn.Module, input_size_px: tuple[int, int]) -> list[nn.Module]:
    """Return the layers whose channels are those of the answers."""
    makers: dict[Any, nn.Module] = {}

    def note(_: str, layer: nn.Module, output: torch.Tensor) -> None:
        makers[output.grad_fn] = layer

    with watched(network, note), torch.enable_grad():
        waiting = [output.grad_fn for output in _tensors(network(picture_of(input_size_px)))]
    last: list[nn.Module] = []
    while waiting:
        step = waiting.pop()
        if step in makers:
            last.append(makers[step])
        elif step is not None:
            waiting += [source for source, _ in step.next_functions]
    return last


def _tensors(outputs: Any) -> list[torch.Tensor]:  # noqa: ANN401 - a tensor, or tuples of tensors
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    return [tensor for output in outputs for tensor in _tensors(output)]


def _trainable(network: nn.Module) -> nn.Module:
    """Return a copy whose parameters have gradients: the dependency graph is read from those."""
    return copy.deepcopy(network).eval().requires_grad_(requires_grad=True)


def _dependencies(network: nn.Module, input_size_px: tuple[int, int]) -> Any:  # noqa: ANN401 - untyped library
    example = (picture_of(input_size_px),)
    with torch.enable_grad():
        return tp.DependencyGraph().build_dependency(network, example_inputs=example)


def _pruner(root: nn.Module) -> Any:  # noqa: ANN401 - untyped library
    return tp.prune_linear_out_channels if isinstance(root, nn.Linear) else tp.prune_conv_out_channels


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels


def _is_grouped(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and 1 < module.groups < module.in_channels


def _makes(dep: Any) -> bool:  # noqa: ANN401 - untyped library
    """Tell whether a layer loses outputs, not inputs."""
    module = dep.target.module
    return isinstance(module, (nn.Conv2d, nn.Linear)) and "out_channels" in dep.handler.__name__


def _work(cost: LayerCost, dep: Any) -> int:  # noqa: ANN401 - untyped library
    """Return what a layer's share in a group costs: who only reads it writes as many numbers without it."""
    return cost.work if _makes(dep) or _is_depthwise(dep.target.module) else cost.work_of_reading


def _tied(
    group: Any,  # noqa: ANN401 - untyped library
    names: Mapping[nn.Module, str],
    channels: int,
    *,
    made: bool,
) -> dict[str, tuple[int, ...]]:
    """Return the layers that make (or read) a group's channels, and as which of theirs, channel by channel.

    None at all, if one of them is no dense convolution, or has other channels than the group.
    """
    found: dict[str, tuple[int, ...]] = {}
    for one in group:
        module = one.dep.target.module
        if not isinstance(module, (nn.Conv2d, nn.Linear)) or _is_depthwise(module) or _makes(one.dep) != made:
            continue
        if not isinstance(module, nn.Conv2d) or len(one.idxs) != channels:
            return {}
        own = dict(zip(one.root_idxs, one.idxs, strict=True))
        found[names[module]] = tuple(own[channel] for channel in range(channels))
    return found


def _own_layers(members: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return each layer of a group once: of a depthwise one, inputs and outputs are the same channels."""
    return list({name: (name, dep) for name, dep in members}.values())


def _silence(dep: Any, indices: Sequence[int]) -> None:  # noqa: ANN401 - untyped library
    """Set to zero what pruning would take out of one layer."""
    module = dep.target.module
    weight = getattr(module, "weight", None)
    if weight is None:
        return
    if isinstance(module, (nn.Conv2d, nn.Linear)) and not _makes(dep) and not _is_depthwise(module):
        weight[:, indices] = 0
        return
    weight[indices] = 0
    if module.bias is not None:
        module.bias[indices] = 0
