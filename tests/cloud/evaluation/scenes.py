"""Pictures with white boxes on a dark ground, and a detector that finds what is bright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from edge_agent.vision.arrays import Rgb
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection, DetectorRef
from edge_agent.wire.manifest import LabelSpec

WIDTH_PX, HEIGHT_PX = 160, 120


@dataclass
class BrightDetector:
    """Finds the rectangle around all that is brighter than `floor`; `blind_left` makes it worse."""

    version: int = 1
    floor: int = 120
    blind_left: bool = False
    score: float = 0.8
    names: tuple[str, ...] = ("lamp",)
    looked: int = field(default=0)

    @property
    def ref(self) -> DetectorRef:
        return DetectorRef(id="det_1", name="lamps <one>", version=self.version)

    @property
    def labels(self) -> tuple[LabelSpec, ...]:
        return tuple(LabelSpec(name=name, slug=name, threshold=0.3) for name in self.names)

    def detect_many(
        self, pictures: Sequence[Rgb], *, score_floor: float | None = None
    ) -> list[list[Detection]]:
        self.looked += len(pictures)
        assert score_floor is not None
        return [self._detect(rgb) for rgb in pictures]

    def _detect(self, rgb: Rgb) -> list[Detection]:
        rows, columns = np.nonzero(rgb.min(2) > self.floor)
        if not len(rows) or (self.blind_left and columns.mean() < rgb.shape[1] / 2):
            return []
        box: XyxyNorm = (
            columns.min() / rgb.shape[1], rows.min() / rgb.shape[0],
            (columns.max() + 1) / rgb.shape[1], (rows.max() + 1) / rgb.shape[0],
        )  # fmt: skip
        return [Detection(label="lamp", score=self.score, box=tuple(float(edge) for edge in box))]


def lamp_frames(folder: Path, count: int = 8) -> list[LabelledFrame]:
    """Write pictures with one lamp each, half of them left, half right; return them labelled."""
    frames = []
    for number in range(count):
        left = 20 if number % 2 else 100
        place = (left, 30 + number, left + 40, 80 + number)
        frames.append(LabelledFrame(
            PictureSource(_draw(folder / f"{number}.png", place)), WIDTH_PX, HEIGHT_PX,
            (LabelledBox("lamp", _norm(place)),),
        ))  # fmt: skip
    return frames


def _draw(path: Path, place: tuple[int, int, int, int]) -> Path:
    pixels = np.full((HEIGHT_PX, WIDTH_PX, 3), 30, np.uint8)
    pixels[place[1] : place[3], place[0] : place[2]] = 250
    Image.fromarray(pixels).save(path)
    return path


def _norm(place: tuple[int, int, int, int]) -> XyxyNorm:
    return (place[0] / WIDTH_PX, place[1] / HEIGHT_PX, place[2] / WIDTH_PX, place[3] / HEIGHT_PX)
