"""Which whole parts a student starts without: tried on lessons, before anything is taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from compress.blocks import Part, removable_parts, without
from compress.candidates import Candidate
from compress.capture import normalised
from compress.lessons import Lessons
from compress.recover import distillation_loss, tensors_of
from compress.teacher import in_threads

_BLOCKS_SHARE = 0.25
"""Repeated blocks go until they make up so much of the work."""

_SAVES = 0.02
"""A part that saves less than this share of the work is not worth the trial."""


@dataclass(frozen=True)
class Structure:
    """A network without some parts; `words` are for a candidate's name, empty for the whole one.

    One that lacks repeated blocks is another structure, `made_of`, without `parts`.
    """

    words: str
    candidate: Candidate
    made_of: str | None = None
    parts: tuple[Part, ...] = ()


def lesson_loss(network: nn.Module, lessons: Lessons, numbers: Sequence[int]) -> float:
    """Return the mean distillation loss on some lessons."""
    losses = [0.0] * len(numbers)

    def look(place: int) -> None:
        with torch.no_grad():  # each thread has its own mode
            outputs = network(picture_tensor(lessons, numbers[place]))
            losses[place] = float(distillation_loss(outputs, tensors_of(lessons.answers[numbers[place]])))

    in_threads(len(numbers), look)
    return sum(losses) / len(losses)


def picture_tensor(lessons: Lessons, number: int) -> torch.Tensor:
    """Return one lesson's picture `(1, 3, h, w) float32`."""
    return torch.from_numpy(normalised(lessons.pixels[number])).permute(2, 0, 1)[None].contiguous()


def structures(
    whole: Candidate, lessons: Lessons, numbers: Sequence[int], check: Callable[[], None]
) -> list[Structure]:
    """Return ever smaller structures: one subnet, then without its coarsest level, then with fewer blocks.

    Of subnets and levels that may go, the one goes that is missed least: whose absence raises the loss on
    lessons least. Repeated blocks go by what they raise it for what they save.

    Args:
        whole: All of the network.
        lessons: Of the input size.
        numbers: Of the lessons to try on.
        check: Called between trials; may raise to stop.
    """

    def least_missed(now: Candidate, kind: str) -> Part | None:
        harms: dict[int, float] = {}
        parts = [
            part
            for part in removable_parts(now.network, now.input_size_px)
            if part.kind == kind and part.work > _SAVES * now.work
        ]
        for index, part in enumerate(parts):
            check()
            harms[index] = lesson_loss(without(now.network, [part]), lessons, numbers)
        best = min(harms, key=harms.__getitem__, default=None)
        return None if best is None else parts[best]

    found = [Structure("", whole)]
    now, words = whole, ""
    while (part := least_missed(now, "subnet")) is not None:
        now = now.changed(without(now.network, [part]), "subnets", part.what)
    if now is not whole:
        words = "one subnet"
        found.append(Structure(words, now))
    if (part := least_missed(now, "level")) is not None:
        now = now.changed(without(now.network, [part]), "levels", part.what)
        words = f"{words}, one level less" if words else "one level less"
        found.append(Structure(words, now))
    before, blocks = now.work, list[Part]()
    while now.work > (1 - _BLOCKS_SHARE) * before and (part := _block_to_go(now, lessons, numbers, check)):
        now = now.changed(without(now.network, [part]), "blocks", part.what)
        blocks.append(part)
    if blocks:
        fewer = f"{words}, fewer blocks" if words else "fewer blocks"
        found.append(Structure(fewer, now, words, tuple(blocks)))
    return found


def _block_to_go(
    now: Candidate, lessons: Lessons, numbers: Sequence[int], check: Callable[[], None]
) -> Part | None:
    """Return the repeated block whose absence raises the loss least for what it saves."""
    before = lesson_loss(now.network, lessons, numbers)
    prices: dict[int, float] = {}
    parts = [part for part in removable_parts(now.network, now.input_size_px) if part.kind == "block"]
    for index, part in enumerate(parts):
        check()
        harm = lesson_loss(without(now.network, [part]), lessons, numbers) - before
        prices[index] = harm / max(1, part.work)
    best = min(prices, key=prices.__getitem__, default=None)
    return None if best is None else parts[best]
