"""False alarms put into real footage: pictures of people, as on a poster, that come, go and come again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from cloud.samples.catalog import SampleTask
from edge_agent.pipeline.boxes import iou
from edge_agent.vision.arrays import Float32, Rgb
from edge_agent.wire.base import XyxyNorm

FPS = 5.0
SEEN_S = 4.0
PERIOD_S = 12.0
_EVERY = 2
"""The clip has ten pictures a second, and every frame that has labels is an even one."""

_LEAST_HEIGHT_PX = 70.0
_GAINS = (1.0, 0.8, 1.2, 0.9, 1.1, 0.7, 1.3)
_JITTER_PX = 2
_NOISE = 3.0


@dataclass(frozen=True)
class Footage:
    """The clip at five pictures a second.

    `labels` are the boxes of all people, by index of the picture, of those pictures that have labels.
    """

    pictures: tuple[Rgb, ...]
    labels: dict[int, tuple[XyxyNorm, ...]]


@dataclass(frozen=True)
class Seed:
    """One false alarm: what it looks like, where it is, and when it first comes."""

    picture: Rgb
    left_px: int
    top_px: int
    first_s: float
    walked: bool

    def box(self, width_px: int, height_px: int) -> XyxyNorm:
        """Return where it is."""
        high, wide = self.picture.shape[:2]
        right, bottom = (self.left_px + wide) / width_px, (self.top_px + high) / height_px
        return (self.left_px / width_px, self.top_px / height_px, right, bottom)

    def turn(self, at_s: float) -> int | None:
        """Return the how many-th time it is there, none when it is not."""
        since_s = at_s - self.first_s
        return int(since_s // PERIOD_S) if since_s >= 0.0 and since_s % PERIOD_S < SEEN_S else None


def read_footage(task: SampleTask, clip: Path) -> Footage:
    """Read the clip and all of its labels."""
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    labels: dict[int, tuple[XyxyNorm, ...]] = {}
    for file in (task.train_labels, task.test_labels, task.blind_labels):
        document = json.loads(file.read_bytes()) if file is not None else {"images": [], "annotations": []}
        for image in document["images"]:
            boxes = (a["bbox"] for a in document["annotations"] if a["image_id"] == image["id"])
            labels[image["frame_index"] // _EVERY] = tuple(
                _norm(box, image["width"], image["height"]) for box in boxes
            )
    return Footage(tuple(np.asarray(frame, np.uint8) for frame in frames[::_EVERY]), labels)


def make_seeds(footage: Footage, count: int, rng: np.random.Generator) -> list[Seed]:
    """Return so many false alarms: half where people walk, half where nobody was ever labelled."""
    height_px, width_px = footage.pictures[0].shape[:2]
    people = [
        (index, box)
        for index, boxes in footage.labels.items()
        for box in boxes
        if (box[3] - box[1]) * height_px >= _LEAST_HEIGHT_PX and _alone(box, boxes)
    ]
    seeds: list[Seed] = []
    while len(seeds) < count:
        index, box = people[rng.integers(len(people))]
        left, top, right, bottom = _pixels(box, width_px, height_px)
        picture = footage.pictures[index][top:bottom, left:right]
        place = _place(footage, picture, rng, walked=len(seeds) % 2 == 0)
        seed = Seed(picture, *place, first_s=float(rng.uniform(0.0, 4.0)), walked=len(seeds) % 2 == 0)
        mine = seed.box(width_px, height_px)
        if all(iou(mine, other.box(width_px, height_px)) == 0.0 for other in seeds):
            seeds.append(seed)
    return seeds


def seeded(footage: Footage, seeds: Sequence[Seed], rng: np.random.Generator) -> Iterator[Rgb]:
    """Give the pictures with the false alarms in them; light, place and noise differ from time to time."""
    places: dict[tuple[int, int], tuple[int, int]] = {}
    for index, picture in enumerate(footage.pictures):
        rgb = picture.copy()
        for number, seed in enumerate(seeds):
            turn = seed.turn(index / FPS)
            if turn is not None:
                shift = rng.integers(-_JITTER_PX, _JITTER_PX + 1, 2)
                moved = places.setdefault((number, turn), (int(shift[0]), int(shift[1])))
                _paste(rgb, seed, moved, _GAINS[turn % len(_GAINS)], rng)
        yield rgb


def _paste(rgb: Rgb, seed: Seed, moved_px: tuple[int, int], gain: float, rng: np.random.Generator) -> None:
    high, wide = seed.picture.shape[:2]
    left = min(max(0, seed.left_px + moved_px[0]), rgb.shape[1] - wide)
    top = min(max(0, seed.top_px + moved_px[1]), rgb.shape[0] - high)
    mask = _soft_edged(high, wide)
    shown = seed.picture * gain + rng.normal(0.0, _NOISE, seed.picture.shape)
    under = rgb[top : top + high, left : left + wide]
    rgb[top : top + high, left : left + wide] = np.clip(shown * mask + under * (1.0 - mask), 0, 255)


def _soft_edged(high: int, wide: int) -> Float32:
    """Return how much is shown, `(high, wide, 1)`: all but for the three outermost pixels."""
    rows, columns = np.arange(high), np.arange(wide)
    from_edge = np.minimum.outer(np.minimum(rows, rows[::-1]), np.minimum(columns, columns[::-1]))
    return np.clip((from_edge[..., None] + 1.0) / 4.0, 0.0, 1.0).astype(np.float32)


def _place(footage: Footage, picture: Rgb, rng: np.random.Generator, *, walked: bool) -> tuple[int, int]:
    height_px, width_px = footage.pictures[0].shape[:2]
    high, wide = picture.shape[:2]
    everybody = [box for boxes in footage.labels.values() for box in boxes]
    while True:
        left, top = int(rng.integers(width_px - wide)), int(rng.integers(height_px - high))
        box = (left / width_px, top / height_px, (left + wide) / width_px, (top + high) / height_px)
        met = max(iou(box, other) for other in everybody)
        if (met > 0.4) if walked else (met == 0.0):
            return left, top


def _alone(box: XyxyNorm, boxes: Sequence[XyxyNorm]) -> bool:
    return sum(iou(box, other) > 0.0 for other in boxes) == 1


def _pixels(box: XyxyNorm, width_px: int, height_px: int) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    return round(x1 * width_px), round(y1 * height_px), round(x2 * width_px), round(y2 * height_px)


def _norm(bbox_px: Sequence[float], width_px: int, height_px: int) -> XyxyNorm:
    x, y, width, height = bbox_px
    box = (x / width_px, y / height_px, (x + width) / width_px, (y + height) / height_px)
    return tuple(min(1.0, max(0.0, side)) for side in box)  # type: ignore[return-value]
