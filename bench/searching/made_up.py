"""Events of forty cameras at the pace of ten million a year, made up.

Few labels, some rare, one that is seen by a camera of its own and so near nothing; one event in two hundred
lasts long.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from cloud.store.sketch import lasts_class, sketch_of

NOW_S = 1_800_000_000.0
CAMERAS = 40
YEAR_EVENTS = 10_000_000
LABELS = {"person": 60, "car": 30, "dog": 8, "cat": 1.5, "bird": 0.4, "fox": 0.1}
COLUMNS = (
    "device", "event_id", "camera", "label", "detector_id", "detector_version", "answered_by", "start_time",
    "frame_time", "lasts", "sketch", "body", "received", "has_thumbnail",
)  # fmt: skip

_YEAR_S = 365 * 86_400.0
_BODY = (
    '{"schema": 1, "event_type": "end", "id": "%s", "device": "hub", "camera": "%s", "label": "%s",'
    ' "score": %.4f, "top_score": %.4f, "box": [%r, %r, %r, %r],'
    ' "frame_size": {"width_px": 640, "height_px": 360},'
    ' "zones": {"entered": ["yard"], "current": []}, "start_time": %r, "end_time": %r, "frame_time": %r,'
    ' "track": {"frames": 20, "stationary": false, "path_length_norm": 0.4},'
    ' "detector": {"id": "det_1", "name": "things", "version": 1, "precision": "int8"},'
    ' "answered_by": "local", "snapshot": {"available": true, "blurred": true},'
    ' "attributes": {}, "clock": {"boot_id": "boot", "monotonic_s": %r}}'
)


def rows(count: int) -> Iterator[tuple[object, ...]]:
    """Yield so many events, oldest first, in the order of `COLUMNS`."""
    chance = random.Random(1)  # noqa: S311 - made-up events
    labels = chance.choices(list(LABELS), list(LABELS.values()), k=1 << 16)
    step_s = _YEAR_S / YEAR_EVENTS
    for number in range(count):
        label = labels[chance.getrandbits(16)]
        start_s = NOW_S - (count - number) * step_s
        length_s = chance.uniform(600, 18_000) if chance.random() < 0.005 else chance.expovariate(1 / 8)
        camera = "den" if label == "fox" else f"cam{chance.randrange(CAMERAS)}"
        event_id = f"{number:012x}-{chance.getrandbits(24):06x}"
        yield _row(event_id, camera, label, start_s, start_s + length_s, chance)


def _row(
    event_id: str, camera: str, label: str, start_s: float, until_s: float, chance: random.Random
) -> tuple[object, ...]:
    left, top, score = chance.random() * 0.8, chance.random() * 0.7, 0.5 + chance.random() / 2
    box = (left, top, left + 0.1, top + 0.3)
    body = _BODY % (event_id, camera, label, score, score, *box, start_s, until_s, until_s, start_s)
    state = ("hub", event_id, camera, label, "det_1", 1, "local", start_s, until_s)
    return (*state, lasts_class(until_s - start_s), sketch_of(box, 360 / 640, score), body, until_s, False)
