"""Events of forty cameras at the pace of ten million a year, made up.

Few labels, some rare, one that is seen by a camera of its own and so near nothing; one event in two hundred
lasts long. Made many at once: one by one, ten million take longer than all searches among them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.store.sketch import LASTS_S, sketch_of

NOW_S = 1_800_000_000.0
CAMERAS = 40
YEAR_EVENTS = 10_000_000
LABELS = {"person": 60, "car": 30, "dog": 8, "cat": 1.5, "bird": 0.4, "fox": 0.1}
COLUMNS = (
    "device", "event_id", "camera", "label", "detector_id", "detector_version", "answered_by", "start_time",
    "frame_time", "lasts", "sketch", "body", "received", "has_thumbnail",
)  # fmt: skip

Rows = list[tuple[object, ...]]

_YEAR_S = 365 * 86_400.0
_AT_ONCE = 20_000
_LOOKS = 1 << 14
_LONG_SHARE = 0.005
_ZONES = ("yard", "yard", "yard", "yard", "yard", "yard", "yard", "yard", "yard", "gate")


@dataclass(frozen=True)
class _Look:
    """How an event was seen last: the part of its document that says so, and its sketch."""

    text: str
    sketch: int


def rows(count: int) -> Iterator[Rows]:
    """Yield so many events, oldest first, in the order of `COLUMNS`, many at once."""
    chance, looks = np.random.default_rng(1), _looks()
    for begin in range(0, count, _AT_ONCE):
        numbers = np.arange(begin, min(begin + _AT_ONCE, count))
        yield _rows(numbers, count, looks, chance)


def _rows(numbers: NDArray[np.int64], count: int, looks: list[_Look], chance: np.random.Generator) -> Rows:
    many = len(numbers)
    starts_s = np.round(NOW_S - (count - numbers) * (_YEAR_S / YEAR_EVENTS), 3)
    lengths_s = np.round(chance.exponential(8.0, many), 3)
    is_long = chance.random(many) < _LONG_SHARE
    lengths_s[is_long] = np.round(chance.uniform(600, 18_000, int(is_long.sum())), 3)
    weights = np.array(list(LABELS.values()))
    labels = chance.choice(list(LABELS), many, p=weights / weights.sum())
    each = zip(
        numbers.tolist(),
        labels.tolist(),
        chance.integers(CAMERAS, size=many).tolist(),
        starts_s.tolist(),
        np.round(starts_s + lengths_s, 3).tolist(),
        np.searchsorted(LASTS_S, lengths_s).tolist(),
        chance.integers(_LOOKS, size=many).tolist(),
        strict=True,
    )
    return [
        _row(number, label, f"cam{camera}", start_s, until_s, lasts, looks[look])
        for number, label, camera, start_s, until_s, lasts, look in each
    ]


def _row(
    number: int, label: str, camera: str, start_s: float, until_s: float, lasts: int, look: _Look
) -> tuple[object, ...]:
    camera = "den" if label == "fox" else camera
    event_id = f"{number:012x}-{number * 2_654_435_761 & 0xFFFFFF:06x}"
    body = (
        f'{{"schema": 1, "event_type": "end", "id": "{event_id}", "device": "hub", "camera": "{camera}",'
        f' "label": "{label}", {look.text} "start_time": {start_s!r}, "end_time": {until_s!r},'
        f' "frame_time": {until_s!r},'
        ' "track": {"frames": 20, "stationary": false, "path_length_norm": 0.4},'
        ' "detector": {"id": "det_1", "name": "things", "version": 1, "precision": "int8"},'
        ' "answered_by": "local", "snapshot": {"available": true, "blurred": true},'
        f' "attributes": {{}}, "clock": {{"boot_id": "boot", "monotonic_s": {start_s!r}}}}}'
    )
    state = ("hub", event_id, camera, label, "det_1", 1, "local", start_s, until_s)
    return (*state, lasts, look.sketch, body, until_s, False)


def _looks() -> list[_Look]:
    chance = random.Random(1)  # noqa: S311 - made-up events
    return [_look(chance) for _ in range(_LOOKS)]


def _look(chance: random.Random) -> _Look:
    left, top, score = chance.random() * 0.8, chance.random() * 0.7, round(0.5 + chance.random() / 2, 4)
    box = (left, top, left + 0.1, top + 0.3)
    text = (
        f'"score": {score!r}, "top_score": {score!r}, "box": {list(box)!r},'
        ' "frame_size": {"width_px": 640, "height_px": 360},'
        f' "zones": {{"entered": ["{chance.choice(_ZONES)}"], "current": []}},'
    )
    return _Look(text, sketch_of(box, 360 / 640, score))
