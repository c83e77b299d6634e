"""Drawn scenes with known boxes: coloured blocks on a noisy ground, learned in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource

COLOURS = {"red": (220, 30, 30), "blue": (30, 40, 220)}
WIDTH_PX, HEIGHT_PX = 160, 128


def draw_scene(
    folder: Path, number: int, *, kinds: tuple[str, ...] = ("red",), objects: int = 2
) -> LabelledFrame:
    """Write one picture with `objects` blocks of each kind, and return it labelled."""
    random = np.random.default_rng([7, number])
    rgb = random.integers(90, 140, (HEIGHT_PX, WIDTH_PX, 3)).astype(np.uint8)
    boxes = []
    columns = list(random.permutation(WIDTH_PX // 32))
    for kind in kinds:
        for _ in range(objects):
            width, height = (int(side) for side in random.integers(18, 28, 2))
            left = int(columns.pop()) * 32 + 2
            top = int(random.integers(0, HEIGHT_PX - height))
            rgb[top : top + height, left : left + width] = COLOURS[kind]
            corners = (
                left / WIDTH_PX,
                top / HEIGHT_PX,
                (left + width) / WIDTH_PX,
                (top + height) / HEIGHT_PX,
            )
            boxes.append(LabelledBox(kind, corners))
    path = folder / f"{number:03}.png"
    Image.fromarray(rgb).save(path)
    return LabelledFrame(PictureSource(path), WIDTH_PX, HEIGHT_PX, tuple(boxes))
