"""Many light heads in one product of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cloud.detector.light import LightHead
from edge_agent.vision.arrays import Float32, Int64

NeckLevels = Sequence[torch.Tensor]
"""The neck's levels of one picture, each `(h, w, channels) float32`, at strides 8, 16, 32."""

_CHUNK_NUMBERS = 100_000
"""So many hidden numbers at a time stay in the processor's cache."""


@dataclass(frozen=True)
class Column:
    """One column of the stacked logits: which of the heads, and which of its classes."""

    head: int
    label: int


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
            torch.stack([weight[: self._width] for weight in weights], 1).flatten(0, 1).T.contiguous()
            for weights in adapters
        ]
        self._score_bias = torch.stack(
            [_numbers(head.adapters[0].bias)[: self._width] for head in ordered], 1
        ).flatten()
        self._score_weights, self._score_biases = _score_layers(ordered, self._with_class)
        # Boxes are worked out head by head, so these stay in the order given.
        self._box_adapters = torch.stack(
            [
                torch.cat([_adapter(head, level)[self._width :] for level in range(3)], 1).T.contiguous()
                for head in heads
            ]
        )
        self._box_bias = torch.stack([_numbers(head.adapters[0].bias)[self._width :] for head in heads])
        self._box_weights = torch.stack([_numbers(head.boxes.weight)[:, :, 0, 0].T for head in heads])
        self._box_biases = torch.stack([_numbers(head.boxes.bias) for head in heads])

    def logits(self, levels: NeckLevels) -> Float32:
        """Return the logits of all heads `(h, w, columns)` of one picture."""
        height, width = levels[0].shape[:2]
        middle = self._coarse_part(levels)
        logits = torch.empty(height, width, len(self.columns))
        hidden_per_row = 2 * width * self._count * self._width
        rows = max(1, _CHUNK_NUMBERS // hidden_per_row)
        for start in range(0, height // 2, rows):
            part = levels[0][2 * start : 2 * (start + rows)]
            hidden = part.flatten(0, 1) @ self._score_adapters[0]
            # Four cells at stride 8 share one at stride 16.
            hidden.view(-1, 2, width // 2, 2, hidden.shape[1]).add_(
                middle[start : start + rows, None, :, None, :]
            )
            hidden = hidden.clamp_(0, 6).view(len(hidden), self._width, self._count)
            self._last_layer(hidden, logits[2 * start : 2 * (start + rows)].flatten(0, 1))
        return logits.numpy()

    def _coarse_part(self, levels: NeckLevels) -> torch.Tensor:
        """Return what the levels at strides 16 and 32 add, `(h/2, w/2, heads * width)`."""
        coarse = levels[2] @ self._score_adapters[2] + self._score_bias
        middle = levels[1] @ self._score_adapters[1]
        rows, columns, numbers = middle.shape
        middle.view(rows // 2, 2, columns // 2, 2, numbers).add_(coarse[:, None, :, None, :])
        return middle

    def _last_layer(self, hidden: torch.Tensor, out: torch.Tensor) -> None:
        """Write logits into `out (cells, columns)` from `hidden (cells, width, heads)`."""
        start = 0
        for weight, bias, count in zip(
            self._score_weights, self._score_biases, self._with_class, strict=True
        ):
            torch.sum(hidden[:, :, :count] * weight, 1, out=out[:, start : start + count]).add_(bias)
            start += count

    def distances(self, levels: NeckLevels, heads: Int64, rows: Int64, columns: Int64) -> Float32:
        """Return the distances `(n, 4)`, in strides, that each head says at a cell.

        Args:
            levels: Of the picture.
            heads: `(n,)` numbers of heads, ascending.
            rows: `(n,)` of the cells at stride 8.
            columns: `(n,)` of the cells at stride 8.
        """
        cells = torch.cat(
            [level[rows >> shift, columns >> shift] for shift, level in enumerate(levels)], dim=1
        )
        counts = np.bincount(heads, minlength=self._count)
        rank = np.arange(len(heads)) - np.repeat(np.cumsum(counts) - counts, counts)
        # Heads without a candidate come along: that is cheaper than picking the weights of the others.
        padded = torch.zeros(self._count, int(counts.max()), cells.shape[1])
        padded[heads, rank] = cells
        hidden = torch.baddbmm(self._box_bias[:, None], padded, self._box_adapters).clamp_(0, 6)
        answer = torch.baddbmm(self._box_biases[:, None], hidden, self._box_weights)
        return answer.clamp_(min=0)[heads, rank].numpy()


def _adapter(head: LightHead, level: int) -> torch.Tensor:
    """Return the weight `(width, channels)` of a 1x1 adapter."""
    return _numbers(head.adapters[level].weight)[:, :, 0, 0]


def _score_layers(
    heads: Sequence[LightHead], with_class: Sequence[int]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return, a class, the weights `(width, heads)` and biases `(heads,)` of those heads that have it."""
    weights = [
        torch.stack([_numbers(head.scores.weight)[slot, :, 0, 0] for head in heads[:count]], 1)
        for slot, count in enumerate(with_class)
    ]
    biases = [
        torch.stack([_numbers(head.scores.bias)[slot] for head in heads[:count]])
        for slot, count in enumerate(with_class)
    ]
    return weights, biases


def _numbers(value: object) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        message = f"a light head's layer has no {value!r}"
        raise TypeError(message)
    return value.detach()
