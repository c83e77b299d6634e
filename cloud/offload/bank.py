"""Light heads that stay where they run: one array, a row a head, a batch gathered by one look-up; torch.

In half precision a head of one class is 33 kB: a hundred thousand take 3.3 GB, a million 33 GB, which one
large graphics processor holds. On the processor the array lies in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import torch
from torch.nn import functional

from cloud.cache.key import HOME_SCOPE, ModelKey
from cloud.cache.slots import Slots
from cloud.detector.full import FullDetector
from cloud.detector.light import LightHead, LightNetwork
from cloud.errors import InputError
from cloud.offload.gathered import Levels, Outputs, run_loose

_FIRST_ROWS = 256
_LEAST_HEADS = 64
"""As many as a batch may have, however little memory there is."""

_MOST_CLASSES = 8
"""A class more costs 18 bytes a head; the few detectors with more classes stay outside."""


@dataclass(frozen=True)
class HeadForm:
    """What heads of one bank have in common: which numbers lie where in a row.

    Attributes:
        neck_channels: Of the levels that come from the neck.
        classes: At most so many; missing ones are zeros.
        score_width: Mixed channels for the scores.
        box_width: Mixed channels for the boxes.
    """

    neck_channels: tuple[int, ...]
    classes: int
    score_width: int
    box_width: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the tensors of a head in the order in which a row has them."""
        width = self.score_width + self.box_width
        adapters = {f"adapters.{at}.weight": (width, count) for at, count in enumerate(self.neck_channels)}
        return {
            **adapters,
            "adapters.0.bias": (width,),
            "scores.weight": (self.classes, self.score_width),
            "scores.bias": (self.classes,),
            "boxes.weight": (4, self.box_width),
            "boxes.bias": (4,),
        }

    @property
    def numbers(self) -> int:
        """Return the length of a row."""
        return sum(prod(shape) for shape in self.shapes.values())

    def row_of(self, head: LightHead) -> torch.Tensor:
        """Return a head as a row, in half precision.

        Raises:
            InputError: It is of another form.
        """
        parts = []
        for name, shape in self.shapes.items():
            value = head.get_parameter(name).detach()
            value = value[:, :, 0, 0] if value.dim() == 4 else value
            missing = shape[0] - value.shape[0]
            if missing < 0 or value.shape[1:] != shape[1:]:
                message = f"a head whose {name} is {tuple(value.shape)} has no place in rows of {shape}"
                raise InputError(message)
            parts.append(torch.cat([value, value.new_zeros(missing, *value.shape[1:])]).flatten())
        return torch.cat(parts).half()

    def parts_of(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the tensors in rows `(n, numbers)`, each `(n, *shape) float32`."""
        ends = list(accumulate(prod(shape) for shape in self.shapes.values()))
        return {
            name: rows[:, end - prod(shape) : end].float().view(len(rows), *shape)
            for (name, shape), end in zip(self.shapes.items(), ends, strict=True)
        }


class HeadBank:
    """Heads of one form on one device. Not for several threads at once."""

    def __init__(self, form: HeadForm, most: int, device: torch.device) -> None:
        """Hold so many heads at most; memory is taken as they come."""
        self._form, self._most, self._slots = form, most, Slots(most)
        self._rows = torch.empty(min(_FIRST_ROWS, most), form.numbers, dtype=torch.half, device=device)

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def nbytes(self) -> int:
        """Return how much memory is taken."""
        return self._rows.nbytes

    @property
    def evictions(self) -> int:
        """Return how many heads went for others."""
        return self._slots.evictions

    def run(self, heads: Sequence[tuple[ModelKey, LightHead]], levels: Levels) -> Outputs:
        """Return the outputs of heads, each on its own row of the neck's levels, as `run_light` does.

        Heads that are not here are put in first; none of the batch goes for another.

        Raises:
            BusyError: The batch has more heads than the bank holds.
            InputError: A head is of another form.
        """
        taken: list[ModelKey] = []
        places = []
        try:
            for key, head in heads:
                places.append(self._take(key, head))
                taken.append(key)
            rows = self._rows.index_select(0, torch.tensor(places, device=self._rows.device))
        finally:
            for key in taken:
                self._slots.give(key)
        return _run(self._form.parts_of(rows), levels, self._form.score_width)

    def _take(self, key: ModelKey, head: LightHead) -> int:
        place = self._slots.take(key)
        if place is not None:
            return place
        row = self._form.row_of(head)
        place = self._slots.enter(key)
        if place >= len(self._rows):
            self._grow()
        self._rows[place] = row
        return place

    def _grow(self) -> None:
        grown = self._rows.new_empty(min(self._most, 2 * len(self._rows)), self._form.numbers)
        grown[: len(self._rows)] = self._rows
        self._rows = grown


class BankedHeads:
    """Runs light heads out of banks, one for each form; what has no place in one runs of its own tensors.

    For one thread. Answers are the same: stored heads are in half precision, as rows are.
    """

    def __init__(self, budget_bytes: int, device: torch.device) -> None:
        """Hold heads in so many bytes, of each form: a worker sees one, unless subnets were changed."""
        self._budget_bytes, self._device = budget_bytes, device
        self._banks: dict[HeadForm, HeadBank] = {}

    def __len__(self) -> int:
        return sum(len(bank) for bank in self._banks.values())

    def run(self, detectors: Sequence[FullDetector], neck_levels: Levels) -> Outputs:
        """Return the outputs of detectors with light heads of equal widths, each on its own row of levels."""
        heads = [_banked(one) for one in detectors]
        known = [one for one in heads if one is not None]
        if len(known) < len(detectors):
            return run_loose(detectors, neck_levels)
        first = known[0][1]
        channels = tuple(level.shape[1] for level in neck_levels)
        form = HeadForm(channels, _MOST_CLASSES, first.score_width, first.box_width)
        bank = self._banks.get(form)
        if bank is None:
            most = max(_LEAST_HEADS, self._budget_bytes // (2 * form.numbers))
            bank = self._banks[form] = HeadBank(form, most, self._device)
        return bank.run(known, neck_levels)


def _banked(detector: FullDetector) -> tuple[ModelKey, LightHead] | None:
    """Return a detector's head and what names it; none when it has no place in a bank."""
    network, sha256 = detector.taught_head, detector.spec.weights_sha256
    # Only what was loaded from a file is named by its digest, and all in half precision.
    if not isinstance(network, LightNetwork) or sha256 is None or len(detector.labels) > _MOST_CLASSES:
        return None
    return ModelKey(HOME_SCOPE, sha256), network.head


def _run(parts: dict[str, torch.Tensor], levels: Levels, score_width: int) -> Outputs:
    fine, middle, coarse = (
        torch.bmm(parts[f"adapters.{at}.weight"], level.flatten(2)).view(len(level), -1, *level.shape[2:])
        for at, level in enumerate(levels)
    )
    middle += functional.interpolate(coarse, scale_factor=2.0)
    fine += functional.interpolate(middle, scale_factor=2.0)
    fine += parts["adapters.0.bias"][:, :, None, None]
    hidden = fine.clamp_(0, 6)
    scores = _last(parts, "scores", hidden[:, :score_width])
    return scores, _last(parts, "boxes", hidden[:, score_width:]).clamp_(min=0)


def _last(parts: dict[str, torch.Tensor], name: str, hidden: torch.Tensor) -> torch.Tensor:
    bias, weight = parts[f"{name}.bias"][:, :, None], parts[f"{name}.weight"]
    answers = torch.baddbmm(bias, weight, hidden.flatten(2))
    return answers.view(len(hidden), -1, *hidden.shape[2:])
