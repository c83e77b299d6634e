"""Whole parts that a network can do without: subnets, feature levels, repeated blocks.

Found on the graph, whatever the network is called and made of: a sum goes on with one operand when the other
is taken away. Where the rest is an operand of what is taken away, that was a residual block; where it is not,
a branch, such as a coarser feature level or another subnet. All that only fed the operand goes with it.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from compress.capture import without_batch_norm
from compress.count import LayerCost, layer_costs, parameters_of, picture_of
from compress.protocol import TwoPartNetwork

Kind = Literal["subnet", "level", "block"]

_SUMS = {operator.add, operator.iadd, torch.add}
_SUM_METHODS = {"add", "add_"}


@dataclass(frozen=True)
class Part:
    """Something that can go.

    Attributes:
        kind: What it is.
        what: In words, for people.
        graph: Name of the traced module it lies in; empty = the network itself.
        node: What is taken away, by its name in that graph.
        modules: Layers that go with it, by name in the network.
        macs: What goes with it at the size asked for.
        parameters: Likewise.
        work: Likewise, see `compress.count.Cost`.
    """

    kind: Kind
    what: str
    graph: str
    node: str
    modules: frozenset[str]
    macs: int
    parameters: int
    work: int


def traced(network: nn.Module) -> nn.Module:
    """Return a copy as graphs, batch norms folded in; two parts stay two parts.

    A network that cannot be traced is copied as it is: then no part of it can go, only channels.
    """
    if isinstance(network, TwoPartNetwork):
        heads = [without_batch_norm(head) for head in network.heads]
        network = TwoPartNetwork(without_batch_norm(network.body), heads)
    else:
        network = without_batch_norm(network)
    return copy.deepcopy(network).eval()


def removable_parts(network: nn.Module, input_size_px: tuple[int, int]) -> list[Part]:
    """Return what can go from a traced network, largest first; each can go alone.

    Args:
        network: From `traced`.
        input_size_px: (width, height) for which macs are counted.
    """
    costs = layer_costs(network, input_size_px)
    parts: dict[frozenset[str], Part] = {}
    for prefix, module in _graphs(network, input_size_px):
        for seed, kind in _seeds(module.graph):
            gone = frozenset(f"{prefix}.{name}".lstrip(".") for name in _lost_with(module, seed)) & set(costs)
            if gone and gone not in parts:
                lost = {name: layer for name, layer in costs.items() if name in gone}
                what = _in_words(kind, lost, set(costs) - gone, input_size_px)
                macs, work = (sum(getattr(layer, one) for layer in lost.values()) for one in ("macs", "work"))
                parameters = sum(parameters_of(network.get_submodule(name)) for name in gone)
                parts[gone] = Part(kind, what, prefix, seed, gone, macs, parameters, work)
    return sorted(parts.values(), key=lambda part: -part.macs)


def without(network: nn.Module, parts: Iterable[Part]) -> nn.Module:
    """Return a copy of a traced network without some of its parts.

    Raises:
        ValueError: Without all of them nothing is left that answers.
    """
    rest = _without(network, [(part.graph, part.node) for part in parts])
    if rest is None:
        message = "these parts cannot all go: no answer would be left"
        raise ValueError(message)
    return rest


def _graphs(network: nn.Module, input_size_px: tuple[int, int]) -> Iterator[tuple[str, fx.GraphModule]]:
    """Yield the traced modules, each node with the shape of its output in `meta`."""
    inputs: dict[str, torch.Tensor] = {}

    def note(name: str, given: tuple[torch.Tensor, ...]) -> None:
        inputs[name] = given[0]

    hooks = [
        module.register_forward_pre_hook(lambda _, given, name=name: note(name, given))
        for name, module in network.named_modules()
        if isinstance(module, fx.GraphModule)
    ]
    with torch.no_grad():
        network(picture_of(input_size_px))
        for hook in hooks:
            hook.remove()
        for name, module in network.named_modules():
            if isinstance(module, fx.GraphModule) and name in inputs:
                ShapeProp(module).propagate(inputs[name])
                yield name, module


def _seeds(graph: fx.Graph) -> Iterator[tuple[str, Kind]]:
    """Yield nodes that may be taken away: whole subnets first, then operands of sums."""
    stems = [node for node in graph.nodes if node.op == "call_module" and _is_stem(node)]
    for stem in stems if len(stems) > 1 else []:
        yield stem.name, "subnet"
    for node in graph.nodes:
        if _is_sum(node):
            first, second = node.all_input_nodes
            for taken, kept in ((first, second), (second, first)):
                yield taken.name, "block" if kept in _ancestors(taken) else "level"


def _is_stem(node: fx.Node) -> bool:
    """Tell whether a layer looks at the picture itself, perhaps at a padded one."""
    source = node
    while source.all_input_nodes:
        source = source.all_input_nodes[0]
        if source.op == "call_module" and any(True for _ in _module(source).parameters()):
            return False
    return any(True for _ in _module(node).parameters())


def _module(node: fx.Node) -> nn.Module:
    owner: Any = node.graph.owning_module
    found: nn.Module = owner.get_submodule(str(node.target))
    return found


def _is_sum(node: fx.Node) -> bool:
    """Tell whether a node adds two tensors of its own shape."""
    is_add = (node.op == "call_function" and node.target in _SUMS) or (
        node.op == "call_method" and node.target in _SUM_METHODS
    )
    operands = node.all_input_nodes
    if not is_add or len(operands) != 2 or node.kwargs:
        return False
    return all(_shape(operand) == _shape(node) for operand in operands)


def _shape(node: fx.Node) -> tuple[int, ...]:
    meta = node.meta.get("tensor_meta")
    return tuple(getattr(meta, "shape", ()))


def _ancestors(node: fx.Node) -> set[fx.Node]:
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        for source in waiting.pop().all_input_nodes:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def _without(network: nn.Module, taken: list[tuple[str, str]]) -> nn.Module | None:
    """Return a copy without what hangs on the named nodes; none when no answer is left."""
    rest = copy.deepcopy(network)
    for prefix in {prefix for prefix, _ in taken}:
        module: Any = rest.get_submodule(prefix)
        if not _take(module.graph, {name for owner, name in taken if owner == prefix}):
            return None
        module.graph.eliminate_dead_code()
        module.delete_all_unused_submodules()
        module.recompile()
    return rest


def _take(graph: fx.Graph, names: set[str]) -> bool:
    """Take nodes away and all that cannot be computed without them; false when the answer goes too."""
    dead = {node for node in graph.nodes if node.name in names}
    for node in graph.nodes:
        lost = [source for source in node.all_input_nodes if source in dead]
        if node in dead or not lost:
            continue
        left = [source for source in node.all_input_nodes if source not in dead]
        if node.op == "output":
            return False
        if _is_sum(node) and left:
            node.replace_all_uses_with(left[0])
        else:
            dead.add(node)
    return True


def _lost_with(module: fx.GraphModule, name: str) -> set[str]:
    """Return the modules that go with a node; none when no answer would be left."""
    graph = copy.deepcopy(module.graph)
    graph.owning_module = module
    if not _take(graph, {name}):
        return set()
    graph.eliminate_dead_code()
    return _called(module.graph) - _called(graph)


def _called(graph: fx.Graph) -> set[str]:
    return {str(node.target) for node in graph.nodes if node.op == "call_module"}


def _in_words(kind: Kind, gone: Mapping[str, LayerCost], left: set[str], size_px: tuple[int, int]) -> str:
    """Return what a person calls a part, from the layers that go and those that are left."""
    if kind != "level":
        return f"{'repeated block' if kind == 'block' else 'subnet'} {_own_name(gone, left)}"
    shapes = [layer.output for layer in gone.values()]
    strides = sorted({round(size_px[1] / shape[1]) for shape in shapes if len(shape) == 3})
    named = " and ".join(map(str, strides))
    return f"features at stride {named}" if strides else f"branch {_own_name(gone, left)}"


def _own_name(gone: Iterable[str], left: set[str]) -> str:
    """Return the shortest beginning of the first layer's name that no layer which stays begins with."""
    words = next(iter(gone)).split(".")
    for count in range(1, len(words)):
        name = ".".join(words[:count])
        if not any(f"{other}.".startswith(f"{name}.") for other in left):
            return name
    return ".".join(words)
