"""Many light heads in one product of matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from cloud.detector.light import LightHead
from edge_agent.vision.arrays import Float32, Int64

NeckLevels = Sequence[torch.Tensor]
"""The neck's levels of one picture, each `(h, w, channels) float32`, at strides 8, 16, 32."""

_CHUNK_NUMBERS = 210_000
"""So many hidden numbers at a time: few enough for the processor's cache, and not many small steps."""

_NARROW = 16


@dataclass(frozen=True)
class Column:
    """One column of the stacked logits: which of the heads, and which of its classes."""

    head: int
    label: int


@dataclass(frozen=True)
class _BoxLayers:
    """How one head answers boxes: `channels -> box width` for all levels as one, then `-> 4`."""

    adapter: torch.Tensor
    bias: torch.Tensor
    last: torch.Tensor
    last_bias: torch.Tensor

    @classmethod
    def of(cls, head: LightHead) -> _BoxLayers:
        adapters = [_adapter(head, level)[head.score_width :] for level in range(len(head.adapters))]
        return cls(
            torch.cat(adapters, 1).T.contiguous(),
            _numbers(head.adapters[0].bias)[head.score_width :],
            _numbers(head.boxes.weight)[:, :, 0, 0].T.contiguous(),
            _numbers(head.boxes.bias),
        )


class StackedHeads:
    """Light heads of one neck and of equal widths; answers as each of them alone would.

    Columns of the logits stand class by class: first every head's first class, then the second class of those
    that have one, and so on; heads with more classes come first in each. Hidden numbers stand channel by
    channel, all heads' first, then all heads' second: so the last layer adds up long rows.
    """

    def __init__(self, heads: Sequence[LightHead]) -> None:
        classes = [head.scores.out_channels for head in heads]
        order = sorted(range(len(heads)), key=lambda index: -classes[index])
        ordered = [heads[index] for index in order]
        self._count, self._width = len(heads), heads[0].score_width
        self._with_class = [sum(count > slot for count in classes) for slot in range(max(classes))]
        self.columns = tuple(
            Column(order[place], slot)
            for slot, count in enumerate(self._with_class)
            for place in range(count)
        )
        adapters = [[_adapter(head, level) for head in ordered] for level in range(3)]
        self._score_adapters = [
            _wide(torch.stack([weight[: self._width] for weight in weights], 1).flatten(0, 1).T)
            for weights in adapters
        ]
        self._score_bias = torch.stack(
            [_numbers(head.adapters[0].bias)[: self._width] for head in ordered], 1
        ).flatten()
        self._score_weights = [
            torch.stack([_numbers(head.scores.weight)[slot, :, 0, 0] for head in ordered[:count]], 1)
            for slot, count in enumerate(self._with_class)
        ]
        self._score_biases = torch.stack(
            [_numbers(heads[column.head].scores.bias)[column.label] for column in self.columns]
        )
        # Boxes are worked out head by head, so these stay in the order given.
        self._box_layers = [_BoxLayers.of(head) for head in heads]

    def logits(self, levels: NeckLevels) -> Float32:
        """Return the logits of all heads `(h, w, columns)` of one picture."""
        height, width = levels[0].shape[:2]
        middle = self._coarse_part(levels)
        cells = levels[0].flatten(0, 1)
        logits = torch.empty(len(cells), len(self.columns))
        numbers = self._count * self._width
        rows = max(1, _CHUNK_NUMBERS // (2 * width * numbers))
        # Written again and again: new memory for every chunk would cost more than the sums in it.
        scratch = torch.empty(2 * width * min(rows, height // 2), numbers)
        for start in range(0, height // 2, rows):
            some = slice(2 * start * width, 2 * (start + rows) * width)
            hidden = scratch[: len(cells[some])]
            # Four cells at stride 8 share one at stride 16.
            hidden.view(-1, 2, width // 2, 2, numbers).copy_(middle[start : start + rows, None, :, None])
            _add_product(hidden, cells[some], self._score_adapters[0])
            hidden.clamp_(0, 6)
            self._last_layer(hidden.view(-1, self._width, self._count), logits[some])
        return logits.add_(self._score_biases).view(height, width, -1).numpy()

    def _coarse_part(self, levels: NeckLevels) -> torch.Tensor:
        """Return what the levels at strides 16 and 32 add, `(h/2, w/2, heads * width)`."""
        numbers = len(self._score_bias)
        coarse = (levels[2] @ self._score_adapters[2])[..., :numbers] + self._score_bias
        middle = (levels[1] @ self._score_adapters[1])[..., :numbers].contiguous()
        rows, columns, numbers = middle.shape
        middle.view(rows // 2, 2, columns // 2, 2, numbers).add_(coarse[:, None, :, None, :])
        return middle

    def _last_layer(self, hidden: torch.Tensor, out: torch.Tensor) -> None:
        """Write logits without biases into `out (cells, columns)`; `hidden (cells, width, heads)` is lost."""
        end = len(self.columns)
        # Few heads have a second class; the first comes last, as its products need no memory of their own.
        for weight, count in zip(self._score_weights[:0:-1], self._with_class[:0:-1], strict=True):
            torch.sum(hidden[:, :, :count] * weight, 1, out=out[:, end - count : end])
            end -= count
        torch.sum(hidden.mul_(self._score_weights[0]), 1, out=out[:, :end])

    def distances(self, levels: NeckLevels, heads: Int64, rows: Int64, columns: Int64) -> Float32:
        """Return the distances `(n, 4)`, in strides, that each head says at a cell.

        Args:
            levels: Of the picture.
            heads: `(n,)` numbers of heads, ascending.
            rows: `(n,)` of the cells at stride 8.
            columns: `(n,)` of the cells at stride 8.
        """
        places = [(rows >> shift) * level.shape[1] + (columns >> shift) for shift, level in enumerate(levels)]
        cells = torch.cat(
            [
                level.flatten(0, 1).index_select(0, torch.from_numpy(place))
                for level, place in zip(levels, places, strict=True)
            ],
            dim=1,
        )
        counts = np.bincount(heads, minlength=self._count).tolist()
        hidden = _each(((layers.adapter, layers.bias) for layers in self._box_layers), cells, counts)
        last = ((layers.last, layers.last_bias) for layers in self._box_layers)
        return _each(last, hidden.clamp_(0, 6), counts).clamp_(min=0).numpy()


def _each(
    layers: Iterable[tuple[torch.Tensor, torch.Tensor]], rows: torch.Tensor, counts: list[int]
) -> torch.Tensor:
    """Put runs of rows, `counts` long, each through its own linear layer of weight and bias.

    One after the other: heads find so unequally many that a padded batch takes longer.
    """
    return torch.cat(
        [
            torch.addmm(bias, own, weight)
            for (weight, bias), own in zip(layers, torch.split(rows, counts), strict=True)
        ]
    )


def _wide(weight: torch.Tensor) -> torch.Tensor:
    """Return a weight `(in, out)` with zeros behind it where it is narrow.

    Measured: on a processor of AMD, MKL takes three times as long for eight columns as for sixteen.
    """
    return functional.pad(weight, (0, max(0, _NARROW - weight.shape[1]))).contiguous()


def _add_product(total: torch.Tensor, rows: torch.Tensor, weight: torch.Tensor) -> None:
    """Add a product to `total (rows, out)`; `weight` as `_wide` gives it."""
    if weight.shape[1] > total.shape[1]:
        total.add_((rows @ weight)[:, : total.shape[1]])
    else:
        total.addmm_(rows, weight)


def _adapter(head: LightHead, level: int) -> torch.Tensor:
    """Return the weight `(width, channels)` of a 1x1 adapter."""
    return _numbers(head.adapters[level].weight)[:, :, 0, 0]


def _numbers(value: object) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        message = f"a light head's layer has no {value!r}"
        raise TypeError(message)
    return value.detach()
