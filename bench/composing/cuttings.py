"""What films are composed of: the empty scene, and persons cut out of real frames.

All of it are real pixels of `vtest.avi`, at half its width. The empty scene is what is usual in the clip,
with the fine noise of real frames where nobody is. A person is cut out with the box that the annotation
gives, a little wider, but not where somebody else begins: a strip of whoever walks beside would be in the
film, and nothing would be known of it. Who is in the box itself is in the film too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2  # noqa: TID253 - benchmarks start at leisure
import numpy as np
from numpy.typing import NDArray

from bench.following.sequences import Part, read_clip
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm

PARTS: tuple[Part, ...] = ("tune", "report")
_USUAL_FRAMES = 27
_CLIP_FRAMES = 795
_WIDTH, _HEIGHT = 384, 288
"""Of the film, in px: a camera's second stream, and what the network sees of it."""

_DIFFERENT = 22
"""Grey levels by which a pixel of a person, or of its shadow, differs from the empty scene."""

_AROUND_PX = 9
_FINE_PX = 7
_MARGIN = 0.12
"""Share of a box by which a cutting is wider on each side: boxes were drawn tight."""

_MIN_HEIGHT = 50 / 576
"""Smaller persons are left out: the annotation has one, 37 px high, at a car."""

STEP = 2
"""Each second frame of the clip is used: ten a second become the agent's five."""

Boxes = Mapping[int, XyxyNorm]


@dataclass(frozen=True)
class Passage:
    """A person's way through the picture: where it is, by frame of the clip."""

    part: Part
    number: int
    boxes: Boxes

    @property
    def frames(self) -> Sequence[int]:
        """Return the frames in which it is in view, in order."""
        return sorted(self.boxes)

    def between(self, first: int, last: int) -> Passage:
        """Return a part of it."""
        return Passage(self.part, self.number, {f: b for f, b in self.boxes.items() if first <= f <= last})


def read_passages() -> list[Passage]:
    """Return the ways of all annotated persons; between two annotated frames they go straight."""
    passages = []
    for part in PARTS:
        truth = read_clip(part).truth
        sights: dict[int, dict[int, XyxyNorm]] = {}
        for frame, boxes in truth.items():
            for number, box in boxes:
                sights.setdefault(number, {})[frame] = box
        passages += [Passage(part, number, _filled(seen)) for number, seen in sights.items()]
    return [p for p in passages if max(box[3] - box[1] for box in p.boxes.values()) >= _MIN_HEIGHT]


def _filled(seen: Boxes) -> dict[int, XyxyNorm]:
    frames = sorted(seen)
    every = range(frames[0] + frames[0] % STEP, frames[-1] + 1, STEP)
    sides = [np.interp(every, frames, [seen[frame][side] for frame in frames]) for side in range(4)]
    return {
        frame: (float(x1), float(y1), float(x2), float(y2))
        for frame, x1, y1, x2, y2 in zip(every, *sides, strict=True)
    }


class Cuttings:
    """Real frames, and the same with the persons taken out."""

    def __init__(self, clip: Path, passages: Iterable[Passage]) -> None:
        """Read the clip once; keep only the frames in which somebody is on one of these ways."""
        self._everybody: dict[int, list[XyxyNorm]] = {}
        for passage in passages:
            for frame, box in passage.boxes.items():
                self._everybody.setdefault(frame, []).append(box)
        some: list[Rgb] = []
        self._real: dict[int, Rgb] = {}
        for index, rgb in enumerate(_decoded(clip)):
            if index in self._everybody:
                self._real[index] = rgb
            if index % (_CLIP_FRAMES // _USUAL_FRAMES) == 0 and len(some) < _USUAL_FRAMES:
                some.append(rgb)
        self._scene = usual(some)
        self._empty: dict[int, Rgb] = {frame: self._emptied(rgb) for frame, rgb in self._real.items()}

    @property
    def frames(self) -> Sequence[int]:
        """Return the frames that were kept."""
        return sorted(self._real)

    def picture(self, frame: int, persons: Iterable[XyxyNorm] = ()) -> Rgb:
        """Return a frame in which only these persons are."""
        picture = self._empty[frame]
        boxes = list(persons)
        if not boxes:
            return picture
        others = [box for box in self._everybody[frame] if box not in boxes]
        cut = cut_out(boxes, others, picture.shape[:2])
        return np.where(cut[..., None], self._real[frame], picture)

    def _emptied(self, rgb: Rgb) -> Rgb:
        difference = np.maximum.reduce(cv2.split(cv2.absdiff(rgb, self._scene)))
        mask = cv2.dilate((difference > _DIFFERENT).astype(np.uint8), _square(3))
        mask = cv2.dilate(cv2.erode(mask, _square(4)), _square(_AROUND_PX))
        noise = (rgb.astype(np.float32) - self._scene) * (mask == 0)[..., None]
        # Whole surfaces are a little brighter or darker from frame to frame; edges of masks must not show it.
        noise -= cv2.blur(noise, (_FINE_PX, _FINE_PX))
        noise *= (mask == 0)[..., None]
        return np.asarray(np.clip(np.rint(self._scene + noise), 0, 255), np.uint8)


def cut_out(
    persons: Iterable[XyxyNorm], others: Iterable[XyxyNorm], height_width: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return which pixels are of these persons: their boxes, and around them what is of nobody else.

    Args:
        persons: Boxes of those who are to be seen.
        others: Boxes of those who are not.
        height_width: Of the picture, in px.

    Returns:
        (H, W), true where a person is.
    """
    persons = list(persons)
    cut = np.zeros(height_width, np.bool_)
    for box in persons:
        cut[_pixels(box, height_width, wider=True)] = True
    for box in others:
        cut[_pixels(box, height_width, wider=True)] = False
    for box in persons:
        cut[_pixels(box, height_width, wider=False)] = True
    return cut


def usual(pictures: Sequence[Rgb]) -> Rgb:
    """Return the remedian: the middle one of three middle ones of three …, pixel by pixel.

    It is near the median, in a hundredth of the time.
    """
    while len(pictures) >= 3:
        thirds = zip(pictures[0::3], pictures[1::3], pictures[2::3], strict=False)
        pictures = [np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c)) for a, b, c in thirds]
    return pictures[0]


def _square(size_px: int) -> NDArray[np.uint8]:
    return np.ones((size_px, size_px), np.uint8)


def _pixels(box: XyxyNorm, height_width: tuple[int, ...], *, wider: bool) -> tuple[slice, slice]:
    height, width = height_width
    x1, y1, x2, y2 = box
    dx = dy = 0.0
    if wider:
        dx, dy = _MARGIN * (x2 - x1) + 3 / width, _MARGIN * (y2 - y1) / 2 + 3 / height
    rows = slice(max(0, round((y1 - dy) * height)), min(height, round((y2 + dy) * height)))
    return rows, slice(max(0, round((x1 - dx) * width)), min(width, round((x2 + dx) * width)))


def _decoded(clip: Path) -> Iterable[Rgb]:
    with av.open(str(clip)) as container:
        for picture in container.decode(video=0):
            rgb = picture.to_ndarray(format="rgb24")
            yield np.asarray(cv2.resize(rgb, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
