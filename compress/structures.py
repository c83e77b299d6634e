"""Which whole parts a student starts without: tried on lessons, before anything is taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from compress.blocks import Part, removable_parts, without
from compress.candidates import Candidate
from compress.capture import normalised
from compress.imprint import take_imprint
from compress.lessons import Lessons
from compress.mend import mended
from compress.recover import distillation_loss, tensors_of

_BLOCKS_SHARE = 0.25
"""Repeated blocks go until they make up so much of the multiplications."""

_SAVES = 0.02
"""A part that saves less than this share of the multiplications is not worth the trial."""


@dataclass(frozen=True)
class Structure:
    """A network without some parts; `words` are for a candidate's name, empty for the whole one."""

    words: str
    candidate: Candidate


def lesson_loss(network: nn.Module, lessons: Lessons, numbers: Sequence[int]) -> float:
    """Return the mean distillation loss on some lessons."""
    total = 0.0
    with torch.no_grad():
        for number in numbers:
            outputs = network(picture_tensor(lessons, number))
            total += float(distillation_loss(outputs, tensors_of(lessons.answers[number])))
    return total / len(numbers)


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
            if part.kind == kind and part.macs > _SAVES * now.macs
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
    before = now.macs
    while now.macs > (1 - _BLOCKS_SHARE) * before and (part := _block_to_go(now, lessons, numbers, check)):
        now = now.changed(without(now.network, [part]), "blocks", part.what)
    if now.macs < before:
        found.append(Structure(f"{words}, fewer blocks" if words else "fewer blocks", now))
    return found


def mended_structures(
    found: Sequence[Structure], pictures: Sequence[torch.Tensor], check: Callable[[], None]
) -> list[Structure]:
    """Return structures, the whole network first, the others mended: what is left makes up for what went.

    Args:
        found: From `structures`.
        pictures: Each `(1, 3, h, w) float32`, of the structures' input size.
        check: Called now and then; may raise to stop.
    """
    if len(found) < 2:
        return list(found)
    imprint = take_imprint(found[0].candidate.network, pictures, check)
    mended_ones = [
        replace(one, candidate=one.candidate.taught(mended(one.candidate.network, imprint, pictures)))
        for one in found[1:]
    ]
    return [found[0], *mended_ones]


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
        prices[index] = harm / max(1, part.macs)
    best = min(prices, key=prices.__getitem__, default=None)
    return None if best is None else parts[best]
