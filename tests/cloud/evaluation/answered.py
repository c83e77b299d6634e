"""Labelled and answered frames for tests, made up or drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cloud.datasets.frames import LabelledBox, LabelledFrame, PictureSource
from cloud.training.evaluate import AnsweredFrame
from edge_agent.wire.base import XyxyNorm
from edge_agent.wire.detection import Detection

HERE: XyxyNorm = (0.1, 0.1, 0.3, 0.3)
THERE: XyxyNorm = (0.6, 0.6, 0.9, 0.9)
CLIP = Path("clip.avi")

Truth = Sequence[tuple[str, XyxyNorm]]
Found = Sequence[tuple[str, float, XyxyNorm]]


def answered(truth: Truth, found: Found, number: int = 0, path: Path = CLIP) -> AnsweredFrame:
    """Return a frame with these objects and these detections."""
    boxes = tuple(LabelledBox(label, box) for label, box in truth)
    frame = LabelledFrame(PictureSource(path, number), 400, 200, boxes)
    return AnsweredFrame(
        frame, tuple(Detection(label=label, score=score, box=box) for label, score, box in found)
    )


def random_box(random: np.random.Generator) -> XyxyNorm:
    """Return a box of any size that COCO knows, in a 400 x 200 picture."""
    width, height = random.uniform(0.02, 0.6, 2)
    left, top = random.uniform(0.0, 1.0 - width), random.uniform(0.0, 1.0 - height)
    return (float(left), float(top), float(left + width), float(top + height))


def near(box: XyxyNorm, random: np.random.Generator) -> XyxyNorm:
    """Return a box that overlaps another more or less."""
    moved = np.clip(np.array(box) + random.normal(0.0, 0.03, 4), 0.0, 1.0)
    x1, x2 = sorted(moved[[0, 2]].tolist())
    y1, y2 = sorted(moved[[1, 3]].tolist())
    return (x1, y1, x2, y2)


def random_frames(
    seed: int, frames: int = 8, classes: Sequence[str] = ("a", "b", "c")
) -> list[AnsweredFrame]:
    """Return frames with objects that are found more or less well, and false alarms; some are empty."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(frames):
        truth = [(str(random.choice(classes)), random_box(random)) for _ in range(random.integers(0, 6))]
        found = [
            (
                str(label if random.random() < 0.8 else random.choice(classes)),
                _score(random),
                near(box, random),
            )
            for label, box in truth
            for _ in range(random.integers(0, 3))
        ]
        found += [(str(random.choice(classes)), _score(random), random_box(random)) for _ in range(3)]
        made.append(answered(truth, found if random.random() < 0.9 else [], number * 10))
    return made


def _score(random: np.random.Generator) -> float:
    """Return a score of two digits, so that some are equal."""
    return round(float(random.uniform(0.02, 1.0)), 2)
