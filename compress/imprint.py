"""What the layers of a network answer to a few pictures: what a thinner copy of it is fitted to.

Only a few places of each picture are kept, half of them where the network's own answers depend on a layer
most: most of a picture shows nothing, and there any layer will do.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from compress.teacher import in_threads

_PLACES = 400
"""Of each picture and layer."""

_LEAST_SCORE = 0.1
_BOX_SHARE = 0.5
"""How much a stride's error of a box's side counts beside a step of a score's logit where that is open."""


@dataclass(frozen=True)
class LayerImprint:
    """What one convolution answered.

    Attributes:
        places: Of each picture, numbers of output cells, row by row.
        answers: `(outputs, n) float32` at all these places, picture after picture.
        spread: `(inputs, inputs) float64`: mean products of what it read there. Inputs are channels times the
            cells of its kernel.
        weights: `(outputs,) float32`: how much what the network says depends on each output; the mean square
            of a gradient, summed over the picture.
    """

    places: tuple[torch.Tensor, ...]
    answers: torch.Tensor
    spread: torch.Tensor
    weights: torch.Tensor


Imprint = Mapping[str, LayerImprint]
"""By the layer's name."""


def take_imprint(
    network: nn.Module,
    pictures: Sequence[torch.Tensor],
    check: Callable[[], None] = lambda: None,
    seed: int = 0,
) -> Imprint:
    """Return what a network's dense convolutions answer to pictures; of those that work once for each.

    Args:
        network: In eval mode; answers scores (logits) and boxes in turn, as `compress.protocol` says.
        pictures: Each `(1, 3, h, w) float32`, all of one size.
        check: Called before each picture; may raise to stop.
        seed: Of the places and of what is probed.
    """
    found: dict[int, dict[str, _Look]] = {}

    def look(number: int) -> None:  # one by one on each core: together they take much memory
        check()
        random = torch.Generator().manual_seed(seed + number)
        work = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)  # hooks are its own
        found[number] = dict(_looks(work, pictures[number], random))

    in_threads(len(pictures), look)
    looks: dict[str, list[_Look]] = {}
    for number in range(len(pictures)):
        for name, one in found[number].items():
            looks.setdefault(name, []).append(one)
    return {name: _joined(parts) for name, parts in looks.items()}


@dataclass(frozen=True)
class _Look:
    """What one layer read `(inputs, n)` and answered `(outputs, n)` at places of one picture."""

    places: torch.Tensor
    read: torch.Tensor
    answers: torch.Tensor
    weights: torch.Tensor


def _joined(looks: Sequence[_Look]) -> LayerImprint:
    read = torch.cat([look.read for look in looks], dim=1).double()
    return LayerImprint(
        places=tuple(look.places for look in looks),
        answers=torch.cat([look.answers for look in looks], dim=1),
        spread=read @ read.T / read.shape[1],
        weights=torch.stack([look.weights for look in looks]).mean(dim=0),
    )


def _looks(network: nn.Module, picture: torch.Tensor, random: torch.Generator) -> Iterator[tuple[str, _Look]]:
    """Yield what each layer does with a picture; places are drawn by how much the answers depend on them.

    A layer that works more than once, such as a head that is the same for all levels, is left out.
    """
    seen: dict[str, tuple[nn.Conv2d, torch.Tensor, torch.Tensor, torch.Tensor]] = {}
    again: set[str] = set()

    def note(name: str, layer: nn.Conv2d, read: torch.Tensor, answer: torch.Tensor) -> None:
        if name in seen:
            again.add(name)
        answer.retain_grad()
        seen[name] = layer, read.detach(), answer, answer.detach().clone()  # what follows may work in place

    with _listening(network, note), torch.enable_grad():
        _probe(network(picture.clone().requires_grad_()), random).backward()  # type: ignore[no-untyped-call]
    for name, (layer, read, output, answer) in seen.items():
        if output.grad is not None and name not in again:
            heat = output.grad[0].square()
            where = _places(heat, random)
            yield (
                name,
                _Look(
                    where,
                    read_at(layer, read, [where]),
                    at_places(answer.flatten(2), [where]),
                    heat.sum(dim=(1, 2)),
                ),
            )


def dense_layers(network: nn.Module) -> Iterator[tuple[str, nn.Conv2d]]:
    """Yield the convolutions that read all channels, by name."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d) and layer.groups == 1:
            yield name, layer


def read_at(layer: nn.Conv2d, read: torch.Tensor, places: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return what a layer reads `(n, c, h, w)` for some output cells of each picture, `(inputs, places)`."""
    is_plain = layer.kernel_size == layer.stride == (1, 1) and layer.padding == (0, 0)
    if is_plain:
        return at_places(read.flatten(2), places)
    shape = layer.kernel_size, layer.dilation, layer.padding, layer.stride
    parts = [
        functional.unfold(one[None], *shape)[0][:, where]  # type: ignore[arg-type]
        for one, where in zip(read, places, strict=True)
    ]
    return torch.cat(parts, dim=1)


def at_places(flat: torch.Tensor, places: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return `(channels, all places)` of `(n, channels, cells)`."""
    return torch.cat([one[:, where] for one, where in zip(flat, places, strict=True)], dim=1)


def _probe(answers: Sequence[torch.Tensor], random: torch.Generator) -> torch.Tensor:
    """Return a random sum of answers, the square of whose gradient is, on the whole, how much all depends.

    Scores count by what a step of the logit changes (the Fisher information of yes or no), boxes where
    something is seen.
    """
    total = answers[0].new_zeros(())
    for logits, boxes in zip(answers[::2], answers[1::2], strict=True):
        score = torch.sigmoid(logits.detach())
        warmth = score.amax(dim=-1, keepdim=True)
        warmth = torch.where(warmth > _LEAST_SCORE, warmth, 0.0)
        total = total + (_signs(logits, random) * (score * (1 - score)).sqrt() * logits).sum()
        total = total + _BOX_SHARE * (_signs(boxes, random) * warmth.sqrt() * boxes).sum()
    return total


def _signs(like: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    return torch.randint(0, 2, like.shape, generator=random).to(like.dtype) * 2 - 1


def _places(heat: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Return cells of a map `(outputs, h, w)`, half of them by heat, half anywhere; some more than once."""
    flat = heat.sum(dim=0).flatten()
    chance = flat / flat.sum().clamp(min=1e-30) + 1 / len(flat)
    return torch.multinomial(chance, min(_PLACES, len(flat)), replacement=True, generator=random)


@contextmanager
def _listening(
    network: nn.Module, note: Callable[[str, nn.Conv2d, torch.Tensor, torch.Tensor], None]
) -> Iterator[None]:
    """Tell `note` of what each dense convolution reads and answers while the block runs."""
    hooks = [
        layer.register_forward_hook(
            lambda layer, given, answer, name=name: note(name, layer, given[0], answer)
        )
        for name, layer in dense_layers(network)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
